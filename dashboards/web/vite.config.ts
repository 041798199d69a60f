import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The server that `npm run dev` forwards to: `watchkeeper demo --port 8080`.
const server = process.env.WATCHKEEPER_SERVER ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react()],
  build: { outDir: "../static", emptyOutDir: true, target: "es2023", chunkSizeWarningLimit: 900 },
  server: { proxy: { "/api": { target: server, ws: true } } },
});
