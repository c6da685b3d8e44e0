/**
 * What @peculiar/x509 looks for while it loads. It is a file of its own for the bundler, which loads
 * the ES modules a file imports before its CommonJS packages, wherever they stand.
 */
import "reflect-metadata";
