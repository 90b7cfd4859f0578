/** -U, -d and --password of the commands that ask PostgreSQL. */
export interface LoginFlags {
  username: string | undefined;
  database: string | undefined;
  password: string | undefined;
}
