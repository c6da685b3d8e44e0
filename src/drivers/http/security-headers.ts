/** What every answer says unless the route said otherwise. */
const ALWAYS: readonly (readonly [string, string])[] = [
  ["cache-control", "no-store"],
  ["content-security-policy", "default-src 'none'; frame-ancestors 'none'"],
  ["referrer-policy", "no-referrer"],
  ["x-content-type-options", "nosniff"],
  // What older browsers know of the policy above; their own filter makes holes and stays off.
  ["x-frame-options", "DENY"],
  ["x-xss-protection", "0"],
];

const A_YEAR = "max-age=31536000";

/** Adds the security headers a response lacks; a promise to stay on TLS only where there is TLS. */
export function secured(response: Response, isSecure: boolean): Response {
  const { headers } = response;
  for (const [name, value] of ALWAYS) if (!headers.has(name)) headers.set(name, value);
  if (isSecure) headers.set("strict-transport-security", A_YEAR);
  return response;
}
