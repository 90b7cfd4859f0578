/** URLs as they may be printed. */

/** A password in a URL never reaches an output. */
export function withoutPassword(value: string): string {
  return value.replace(/(\/\/[^/@:]*):[^/]*@/g, '$1@');
}
