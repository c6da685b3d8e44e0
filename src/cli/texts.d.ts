/** What `with { type: "text" }` answers: the file as one string, carried by the executable. */
declare module "*.service" {
  const text: string;
  export = text;
}
declare module "*.conf" {
  const text: string;
  export = text;
}
declare module "*.sh" {
  const text: string;
  export = text;
}
