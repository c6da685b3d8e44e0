/** What one stranger has: an IPv4 address, or the first 64 bits of an IPv6 one. Ports do not count. */
export function networkOf(address: string): string {
  const plain = address.replace(/^ipv[46]:/, "").replace(/^\[(.*)\](:\d+)?$/, "$1");
  const mapped = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)(?::\d+)?$/i.exec(plain);
  if (mapped?.[1]) return mapped[1];
  const [head = "", tail = ""] = plain.toLowerCase().split("%", 1)[0]?.split("::") ?? [];
  const front = head === "" ? [] : head.split(":");
  const back = tail === "" ? [] : tail.split(":");
  const zeros = plain.includes("::") ? Math.max(0, 8 - front.length - back.length) : 0;
  const groups = [...front, ...new Array<string>(zeros).fill("0"), ...back];
  return groups.slice(0, 4).map(withoutZeros).join(":");
}

function withoutZeros(group: string): string {
  return group.replace(/^0+(?=.)/, "");
}

/** Whether an address is of this machine itself. */
export function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}
