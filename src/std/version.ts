/** Put in by the build: when the commit it was built from was made. */
declare const GALAXY_BUILD_TIME_MS: number | undefined;

/** Put in by the build of a release that is to say another version than package.json has. */
declare const GALAXY_VERSION: string | undefined;

/** The version of this program, as package.json has it. */
export const VERSION: string = typeof GALAXY_VERSION === "string" ? GALAXY_VERSION : "1.0.0";

/** When the commit this program was built from was made, milliseconds since 1970; 0 when run from source. */
export const BUILD_TIME_MS: number =
  typeof GALAXY_BUILD_TIME_MS === "number" ? GALAXY_BUILD_TIME_MS : 0;
