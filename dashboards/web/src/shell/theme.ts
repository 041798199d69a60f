import { type CSSVariablesResolver, createTheme } from "@mantine/core";

export const theme = createTheme({
  fontFamily: "var(--font)",
  fontSizes: { xs: "12px", sm: "13px", md: "13px", lg: "14px", xl: "16px" },
  defaultRadius: 3,
  respectReducedMotion: true,
  cursorType: "pointer",
});

/** Mantine speaks with our tokens, which change with the theme by themselves. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {
    "--mantine-color-body": "var(--panel)",
    "--mantine-color-text": "var(--text)",
    "--mantine-color-dimmed": "var(--secondary)",
    "--mantine-color-placeholder": "var(--secondary)",
    "--mantine-color-error": "var(--p1)",
    "--mantine-color-default": "var(--raised)",
    "--mantine-color-default-hover": "var(--panel)",
    "--mantine-color-default-color": "var(--text)",
    "--mantine-color-default-border": "var(--line)",
    "--mantine-primary-color-filled": "var(--focus)",
  },
  light: {},
  dark: {},
});
