/** Where a request names no host, or none that could be one, Bun gives the path alone. */
export function pathStart(url: string): number {
  if (url.startsWith("/")) return 0;
  return url.indexOf("/", url.indexOf("://") + 3);
}

/** The path of a request, without its query. */
export function pathOf(url: string): string {
  const start = pathStart(url);
  const end = url.indexOf("?", start);
  return end === -1 ? url.slice(start) : url.slice(start, end);
}
