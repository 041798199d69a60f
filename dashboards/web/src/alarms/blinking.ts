/** Let all marks blink in the same instant, whenever their rows appeared: a scattered blinking cannot be read. */
export function keepBlinkingInStep(): void {
  document.addEventListener("animationstart", (event) => {
    if (!event.animationName.startsWith("blink") || !(event.target instanceof Element)) return;
    for (const animation of event.target.getAnimations()) animation.startTime = 0;
  });
}
