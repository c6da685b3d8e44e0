import { Elysia } from "elysia";
import style from "swagger-ui-dist/swagger-ui.css" with { type: "file" };
import bundle from "swagger-ui-dist/swagger-ui-bundle.js" with { type: "file" };
import type { RouteAccess } from "@/ports/http.ts";

/** The page may load what the pool itself serves and nothing else; no script stands inside it. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Galaxy node pool: API reference</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="reference"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

const START = `SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  validatorUrl: null,
});
`;

const SECONDS_A_DAY = 86_400;

/** `/openapi.json` and `/docs`, open to anyone; the document is made when it is first asked for. */
export function docsRoutes(document: () => string) {
  return new Elysia({ tags: ["documentation"] })
    .get("/openapi.json", () => answer(document(), "application/json"), {
      detail: { summary: "This API as an OpenAPI 3.1 document" },
    })
    .get("/docs", () => answer(PAGE, "text/html; charset=utf-8"), {
      detail: { summary: "This API as a page to read" },
    })
    .get("/docs/start.js", () => answer(START, "text/javascript; charset=utf-8"), hidden)
    .get(
      "/docs/swagger-ui-bundle.js",
      () => asset(bundle, "text/javascript; charset=utf-8"),
      hidden,
    )
    .get("/docs/swagger-ui.css", () => asset(style, "text/css; charset=utf-8"), hidden);
}

const hidden = { detail: { summary: "A part of the page /docs" } };

/** The rows of the permission table for `docsRoutes`. */
export const docsAccess: readonly RouteAccess[] = [
  "/openapi.json",
  "/docs",
  "/docs/start.js",
  "/docs/swagger-ui-bundle.js",
  "/docs/swagger-ui.css",
].map((path) => ({ method: "GET", path, access: "anyone" }));

function answer(body: string, type: string): Response {
  return new Response(body, {
    headers: { "content-type": type, "content-security-policy": POLICY },
  });
}

/** Part of the program itself, so it changes only with the program. */
function asset(path: string, type: string): Response {
  const age = `public, max-age=${SECONDS_A_DAY}`;
  return new Response(Bun.file(path), { headers: { "content-type": type, "cache-control": age } });
}
