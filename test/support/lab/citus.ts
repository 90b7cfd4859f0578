/**
 * Just enough of Citus for Patroni to run its groups: Debian has no Citus. The library that PostgreSQL has to
 * load is another one under this name, and the extension is a row with the few tables and functions that
 * Patroni uses; CREATE EXTENSION IF NOT EXISTS then finds it. No data is distributed.
 */
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const SQL = `
SET allow_system_table_mods = on;
INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
  SELECT max(oid::bigint + 1)::oid, 'citus', 10, 'pg_catalog'::regnamespace, false, '0-lab' FROM pg_extension;
CREATE TABLE pg_catalog.pg_dist_authinfo (nodeid int, rolename name, authinfo text);
CREATE TABLE pg_catalog.pg_dist_node
  (nodeid int GENERATED ALWAYS AS IDENTITY, groupid int, nodename text, nodeport int, noderole text);
CREATE FUNCTION pg_catalog.citus_add_node(text, int, int, text, text) RETURNS int LANGUAGE sql AS
  'INSERT INTO pg_dist_node (groupid, nodename, nodeport, noderole) VALUES ($3, $1, $2, $4) RETURNING nodeid';
CREATE FUNCTION pg_catalog.citus_update_node(int, text, int, boolean, double precision) RETURNS void LANGUAGE sql AS
  'UPDATE pg_dist_node SET nodename = $2, nodeport = $3 WHERE nodeid = $1';
CREATE FUNCTION pg_catalog.citus_remove_node(text, int) RETURNS void LANGUAGE sql AS
  'DELETE FROM pg_dist_node WHERE nodename = $1 AND nodeport = $2';
CREATE FUNCTION pg_catalog.citus_set_coordinator_host(text, int, text, text) RETURNS void LANGUAGE sql AS
  'INSERT INTO pg_dist_node (groupid, nodename, nodeport, noderole) VALUES (0, $1, $2, $3)';
`;

const folderOf = (root: string): string => join(root, 'citus');

/** Puts both below the cluster's folder, readable for all users. */
export function writeCitus(root: string, pgBin: string): void {
  const folder = folderOf(root);
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
  copyFileSync(join(dirname(pgBin), 'lib', 'test_decoding.so'), join(folder, 'citus.so'));
  writeFileSync(join(folder, 'citus.sql'), SQL);
}

/** Run once, in the new database, before Patroni makes the extension. Patroni appends where that is. */
export function citusPostInit(root: string, pgBin: string): string {
  return `${join(pgBin, 'psql')} -Xq -v ON_ERROR_STOP=1 -f ${join(folderOf(root), 'citus.sql')}`;
}

export function citusParameters(root: string): Record<string, string> {
  return { dynamic_library_path: `${folderOf(root)}:$libdir` };
}
