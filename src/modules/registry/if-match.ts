/** The etag a change is conditional on; undefined when any will do. */
export function ifMatchOf(request: Request): string | undefined {
  const text = request.headers.get("if-match")?.trim();
  if (!text || text === "*") return undefined;
  return text.replace(/^W\//, "").replace(/^"(.*)"$/, "$1");
}
