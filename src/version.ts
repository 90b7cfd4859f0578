declare const PATCTL_VERSION: string | undefined;

/** patctl's own version, put in by the build; 'dev' when the sources run unbuilt. */
export const VERSION = typeof PATCTL_VERSION === 'string' ? PATCTL_VERSION : 'dev';
