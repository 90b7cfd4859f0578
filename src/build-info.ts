declare const PATCTL_VERSION: string | undefined;

/** The newest versions that the lab installs and the tests have run on. */
export const NEWEST_PATRONI = '4.1.5';
export const NEWEST_POSTGRES = 18;

/** patctl's own version, put in by the build; 'dev' when the sources run unbuilt. */
export const VERSION = typeof PATCTL_VERSION === 'string' ? PATCTL_VERSION : 'dev';

declare const PATCTL_COMMIT: string | null | undefined;

/** The commit of the build, with a + where files differed from it; null when the build did not know it. */
const COMMIT = typeof PATCTL_COMMIT === 'string' ? PATCTL_COMMIT : null;

/** The Node.js that runs us, and for what machine it was built. */
interface Runtime {
  nodeVersion: string;
  platform: string;
  arch: string;
}

/** What `--version` prints, on one line. */
export function versionLine({ nodeVersion, platform, arch }: Runtime): string {
  return `patctl ${VERSION} (commit ${COMMIT ?? 'unknown'}, Node.js ${nodeVersion}, ${platform}-${arch})`;
}
