/** -U, -d and --password of the commands that ask PostgreSQL. */
export interface LoginFlags {
  readonly username: string | undefined;
  readonly database: string | undefined;
  readonly password: string | undefined;
}
