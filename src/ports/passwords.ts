/** Slow hashes of passwords: argon2id, the figures and the salt stand in the hash. */
export interface Passwords {
  hash(password: string): Promise<string>;
  /** Whether a password is the one a hash was made of. */
  verify(password: string, hash: string): Promise<boolean>;
}
