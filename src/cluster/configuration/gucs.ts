/**
 * PostgreSQL's settings, 9.3 to 18, as far as a configuration can be judged by them: name (`!` when it
 * takes a restart), type, unit, widest range of all versions, words.
 */
const TABLE = `
allow_alter_system bool
allow_in_place_tablespaces bool
allow_system_table_mods bool
application_name string
archive_cleanup_command string
archive_command string
archive_library string
archive_mode! boolenum always
archive_timeout int:s 0..1073741823
array_nulls bool
authentication_timeout int:s 1..600
autovacuum bool
autovacuum_analyze_scale_factor real 0..100
autovacuum_analyze_threshold int 0..2147483647
autovacuum_freeze_max_age! int 100000..2000000000
autovacuum_max_workers! int 1..8388607
autovacuum_multixact_freeze_max_age! int 10000..2000000000
autovacuum_naptime int:s 1..2147483
autovacuum_vacuum_cost_delay real:ms -1..100
autovacuum_vacuum_cost_limit int -1..10000
autovacuum_vacuum_insert_scale_factor real 0..100
autovacuum_vacuum_insert_threshold int -1..2147483647
autovacuum_vacuum_max_threshold int -1..2147483647
autovacuum_vacuum_scale_factor real 0..100
autovacuum_vacuum_threshold int 0..2147483647
autovacuum_work_mem int:kB -1..2147483647
autovacuum_worker_slots! int 1..262143
backend_flush_after int:8kB 0..256
backslash_quote boolenum safe_encoding
backtrace_functions string
bgwriter_delay int:ms 10..10000
bgwriter_flush_after int:8kB 0..256
bgwriter_lru_maxpages int 0..1073741823
bgwriter_lru_multiplier real 0..10
bonjour! bool
bonjour_name! string
bytea_output enum escape|hex
check_function_bodies bool
checkpoint_completion_target real 0..1
checkpoint_flush_after int:8kB 0..256
checkpoint_segments int 1..2147483647
checkpoint_timeout int:s 30..86400
checkpoint_warning int:s 0..2147483647
client_connection_check_interval int:ms 0..2147483647
client_encoding string
client_min_messages enum debug5|debug4|debug3|debug2|debug1|log|notice|warning|error
cluster_name! string
commit_delay int 0..100000
commit_siblings int 0..1000
commit_timestamp_buffers! int:8kB 0..131072
compute_query_id boolenum auto|regress
config_file! string
constraint_exclusion boolenum partition
cpu_index_tuple_cost real 0..1.79769e+308
cpu_operator_cost real 0..1.79769e+308
cpu_tuple_cost real 0..1.79769e+308
createrole_self_grant string
cursor_tuple_fraction real 0..1
data_directory! string
data_sync_retry! bool
DateStyle string
db_user_namespace bool
deadlock_timeout int:ms 1..2147483647
debug_discard_caches int 0..0
debug_io_direct! string
debug_logical_replication_streaming enum buffered|immediate
debug_parallel_query boolenum regress
debug_pretty_print bool
debug_print_parse bool
debug_print_plan bool
debug_print_rewritten bool
default_statistics_target int 1..10000
default_table_access_method string
default_tablespace string
default_text_search_config string
default_toast_compression enum pglz|lz4
default_transaction_deferrable bool
default_transaction_isolation enum serializable|repeatable read|read committed|read uncommitted
default_transaction_read_only bool
default_with_oids bool
dynamic_library_path string
dynamic_shared_memory_type! enum posix|sysv|mmap|none
effective_cache_size int:8kB 1..2147483647
effective_io_concurrency int 0..1000
enable_async_append bool
enable_bitmapscan bool
enable_distinct_reordering bool
enable_gathermerge bool
enable_group_by_reordering bool
enable_hashagg bool
enable_hashjoin bool
enable_incremental_sort bool
enable_indexonlyscan bool
enable_indexscan bool
enable_material bool
enable_memoize bool
enable_mergejoin bool
enable_nestloop bool
enable_parallel_append bool
enable_parallel_hash bool
enable_partition_pruning bool
enable_partitionwise_aggregate bool
enable_partitionwise_join bool
enable_presorted_aggregate bool
enable_self_join_elimination bool
enable_seqscan bool
enable_sort bool
enable_tidscan bool
escape_string_warning bool
event_source! string
event_triggers bool
exit_on_error bool
extension_control_path string
extension_destdir string
external_pid_file! string
extra_float_digits int -15..3
file_copy_method enum copy|clone
file_extend_method enum posix_fallocate|write_zeros
force_parallel_mode boolenum regress
from_collapse_limit int 1..2147483647
fsync bool
full_page_writes bool
geqo bool
geqo_effort int 1..10
geqo_generations int 0..2147483647
geqo_pool_size int 0..2147483647
geqo_seed real 0..1
geqo_selection_bias real 1.5..2
geqo_threshold int 2..2147483647
gin_fuzzy_search_limit int 0..2147483647
gin_pending_list_limit int:kB 64..2147483647
gss_accept_delegation bool
hash_mem_multiplier real 1..1000
hba_file! string
hot_standby! bool
hot_standby_feedback bool
huge_page_size! int:kB 0..2147483647
huge_pages! boolenum try
icu_validation_level enum disabled|debug5|debug4|debug3|debug2|debug1|log|notice|warning|error
ident_file! string
idle_in_transaction_session_timeout int:ms 0..2147483647
idle_replication_slot_timeout int:s 0..2147483647
idle_session_timeout int:ms 0..2147483647
ignore_checksum_failure bool
ignore_invalid_pages! bool
ignore_system_indexes bool
IntervalStyle enum postgres|postgres_verbose|sql_standard|iso_8601
io_combine_limit int:8kB 1..128
io_max_combine_limit! int:8kB 1..128
io_max_concurrency! int -1..1024
io_method! enum sync|worker|io_uring
io_workers int 1..32
jit bool
jit_above_cost real -1..1.79769e+308
jit_debugging_support bool
jit_dump_bitcode bool
jit_expressions bool
jit_inline_above_cost real -1..1.79769e+308
jit_optimize_above_cost real -1..1.79769e+308
jit_profiling_support bool
jit_provider! string
jit_tuple_deforming bool
join_collapse_limit int 1..2147483647
krb_caseins_users bool
krb_server_keyfile string
krb_srvname string
lc_messages string
lc_monetary string
lc_numeric string
lc_time string
listen_addresses! string
lo_compat_privileges bool
local_preload_libraries string
lock_timeout int:ms 0..2147483647
log_autovacuum_min_duration int:ms -1..2147483647
log_checkpoints bool
log_connections string
log_destination string
log_directory string
log_disconnections bool
log_duration bool
log_error_verbosity enum terse|default|verbose
log_executor_stats bool
log_file_mode int 0..511
log_filename string
log_hostname bool
log_line_prefix string
log_lock_failures bool
log_lock_waits bool
log_min_duration_sample int:ms -1..2147483647
log_min_duration_statement int:ms -1..2147483647
log_min_error_statement enum debug5|debug4|debug3|debug2|debug1|info|notice|warning|error|log|fatal|panic
log_min_messages enum debug5|debug4|debug3|debug2|debug1|info|notice|warning|error|log|fatal|panic
log_parameter_max_length int:B -1..1073741823
log_parameter_max_length_on_error int:B -1..1073741823
log_parser_stats bool
log_planner_stats bool
log_recovery_conflict_waits bool
log_replication_commands bool
log_rotation_age int:min 0..35791394
log_rotation_size int:kB 0..2147483647
log_startup_progress_interval int:ms 0..2147483647
log_statement enum none|ddl|mod|all
log_statement_sample_rate real 0..1
log_statement_stats bool
log_temp_files int:kB -1..2147483647
log_timezone string
log_transaction_sample_rate real 0..1
log_truncate_on_rotation bool
logging_collector! bool
logical_decoding_work_mem int:kB 64..2147483647
logical_replication_mode enum buffered|immediate
maintenance_io_concurrency int 0..1000
maintenance_work_mem int:kB 64..2147483647
max_active_replication_origins! int 0..262143
max_connections! int 1..8388607
max_files_per_process! int 25..2147483647
max_locks_per_transaction! int 10..2147483647
max_logical_replication_workers! int 0..262143
max_notify_queue_pages! int 64..2147483647
max_parallel_apply_workers_per_subscription int 0..1024
max_parallel_maintenance_workers int 0..1024
max_parallel_workers int 0..1024
max_parallel_workers_per_gather int 0..1024
max_pred_locks_per_page int 0..2147483647
max_pred_locks_per_relation int -2147483648..2147483647
max_pred_locks_per_transaction! int 10..2147483647
max_prepared_transactions! int 0..8388607
max_replication_slots! int 0..8388607
max_slot_wal_keep_size int:MB -1..2147483647
max_stack_depth int:kB 100..2147483647
max_standby_archive_delay int:ms -1..2147483647
max_standby_streaming_delay int:ms -1..2147483647
max_sync_workers_per_subscription int 0..262143
max_wal_senders! int 0..8388607
max_wal_size int:MB 2..2147483647
max_worker_processes! int 0..8388607
md5_password_warnings bool
min_dynamic_shared_memory! int:MB 0..2147483647
min_parallel_index_scan_size int:8kB 0..715827882
min_parallel_relation_size int:8kB 0..715827882
min_parallel_table_scan_size int:8kB 0..715827882
min_wal_size int:MB 2..2147483647
multixact_member_buffers! int:8kB 16..131072
multixact_offset_buffers! int:8kB 16..131072
notify_buffers! int:8kB 16..131072
oauth_validator_libraries string
old_snapshot_threshold! int:min -1..86400
operator_precedence_warning bool
output_plugin_libraries string
parallel_leader_participation bool
parallel_setup_cost real 0..1.79769e+308
parallel_tuple_cost real 0..1.79769e+308
password_encryption boolenum md5|scram-sha-256
plan_cache_mode enum auto|force_generic_plan|force_custom_plan
port! int 1..65535
post_auth_delay int:s 0..2147
pre_auth_delay int:s 0..60
primary_conninfo string
primary_slot_name string
promote_trigger_file string
quote_all_identifiers bool
random_page_cost real 0..1.79769e+308
recovery_end_command string
recovery_init_sync_method enum fsync|syncfs
recovery_min_apply_delay int:ms 0..2147483647
recovery_prefetch boolenum try
recovery_target! string
recovery_target_action! enum pause|promote|shutdown
recovery_target_inclusive! bool
recovery_target_lsn! string
recovery_target_name! string
recovery_target_time! string
recovery_target_timeline! string
recovery_target_xid! string
recursive_worktable_factor real 0.001..1000000
remove_temp_files_after_crash bool
replacement_sort_tuples int 0..2147483647
reserved_connections! int 0..262143
restart_after_crash bool
restore_command string
restrict_nonsystem_relation_kind string
row_security bool
scram_iterations int 1..2147483647
search_path string
send_abort_for_crash bool
send_abort_for_kill bool
seq_page_cost real 0..1.79769e+308
serializable_buffers! int:8kB 16..131072
session_preload_libraries string
session_replication_role enum origin|replica|local
shared_buffers! int:8kB 16..1073741823
shared_memory_type! enum sysv|mmap
shared_preload_libraries! string
sql_inheritance bool
ssl bool
ssl_ca_file string
ssl_cert_file string
ssl_ciphers string
ssl_crl_dir string
ssl_crl_file string
ssl_dh_params_file string
ssl_ecdh_curve string
ssl_groups string
ssl_key_file string
ssl_max_protocol_version enum |tlsv1|tlsv1.1|tlsv1.2|tlsv1.3
ssl_min_protocol_version enum tlsv1|tlsv1.1|tlsv1.2|tlsv1.3
ssl_passphrase_command string
ssl_passphrase_command_supports_reload bool
ssl_prefer_server_ciphers bool
ssl_renegotiation_limit int:kB 0..2147483647
ssl_tls13_ciphers string
standard_conforming_strings bool
statement_timeout int:ms 0..2147483647
stats_fetch_consistency enum none|cache|snapshot
stats_temp_directory string
subtransaction_buffers! int:8kB 0..131072
summarize_wal bool
superuser_reserved_connections! int 0..8388607
sync_replication_slots bool
synchronize_seqscans bool
synchronized_standby_slots string
synchronous_commit boolenum local|remote_write|remote_apply
synchronous_standby_names string
syslog_facility enum local0|local1|local2|local3|local4|local5|local6|local7
syslog_ident string
syslog_sequence_numbers bool
syslog_split_messages bool
tcp_keepalives_count int 0..2147483647
tcp_keepalives_idle int:s 0..2147483647
tcp_keepalives_interval int:s 0..2147483647
tcp_user_timeout int:ms 0..2147483647
temp_buffers int:8kB 100..1073741823
temp_file_limit int:kB -1..2147483647
temp_tablespaces string
TimeZone string
timezone_abbreviations string
trace_connection_negotiation! bool
trace_notify bool
trace_recovery_messages enum debug5|debug4|debug3|debug2|debug1|log|notice|warning|error
trace_sort bool
track_activities bool
track_activity_query_size! int:B 100..1048576
track_commit_timestamp! bool
track_cost_delay_timing bool
track_counts bool
track_functions enum none|pl|all
track_io_timing bool
track_wal_io_timing bool
transaction_buffers! int:8kB 0..131072
transaction_deferrable bool
transaction_isolation enum serializable|repeatable read|read committed|read uncommitted
transaction_read_only bool
transaction_timeout int:ms 0..2147483647
transform_null_equals bool
unix_socket_directories! string
unix_socket_group! string
unix_socket_permissions! int 0..511
update_process_title bool
vacuum_buffer_usage_limit int:kB 0..16777216
vacuum_cleanup_index_scale_factor real 0..10000000000
vacuum_cost_delay real:ms 0..100
vacuum_cost_limit int 1..10000
vacuum_cost_page_dirty int 0..10000
vacuum_cost_page_hit int 0..10000
vacuum_cost_page_miss int 0..10000
vacuum_defer_cleanup_age int 0..1000000
vacuum_failsafe_age int 0..2100000000
vacuum_freeze_min_age int 0..1000000000
vacuum_freeze_table_age int 0..2000000000
vacuum_max_eager_freeze_failure_rate real 0..1
vacuum_multixact_failsafe_age int 0..2100000000
vacuum_multixact_freeze_min_age int 0..1000000000
vacuum_multixact_freeze_table_age int 0..2000000000
vacuum_truncate bool
wal_buffers! int:8kB -1..262143
wal_compression boolenum pglz|lz4|zstd
wal_consistency_checking string
wal_decode_buffer_size! int:B 65536..1073741823
wal_init_zero bool
wal_keep_segments int 0..2147483647
wal_keep_size int:MB 0..2147483647
wal_level! enum minimal|archive|hot_standby|logical|replica
wal_log_hints! bool
wal_receiver_create_temp_slot bool
wal_receiver_status_interval int:s 0..2147483
wal_receiver_timeout int:ms 0..2147483647
wal_recycle bool
wal_retrieve_retry_interval int:ms 1..2147483647
wal_sender_timeout int:ms 0..2147483647
wal_skip_threshold int:kB 0..2147483647
wal_summary_keep_time int:min 0..35791394
wal_sync_method enum fsync|fdatasync|open_sync|open_datasync
wal_writer_delay int:ms 1..10000
wal_writer_flush_after int:8kB 0..2147483647
work_mem int:kB 64..2147483647
xmlbinary enum base64|hex
xmloption enum content|document
zero_damaged_pages bool
`;

export type GucType = 'bool' | 'int' | 'real' | 'enum' | 'boolenum' | 'string';

export interface Guc {
  name: string;
  type: GucType;
  /** kB, 8kB, MB, ms, s, min, B; null for a bare number. */
  unit: string | null;
  min: number;
  max: number;
  words: readonly string[];
  restart: boolean;
}

let table: Map<string, Guc> | null = null;

/** By lower-case name: PostgreSQL does not tell cases apart. */
export function gucs(): ReadonlyMap<string, Guc> {
  return (table ??= new Map(
    TABLE.trim()
      .split('\n')
      .map(readLine)
      .map((guc) => [guc.name.toLowerCase(), guc]),
  ));
}

function readLine(line: string): Guc {
  const [marked = '', kind = '', ...words] = line.split(' ');
  const rest = words.join(' ');
  const [type = 'string', unit = null] = kind.split(':');
  const [min = '', max = ''] = rest.split('..');
  const counts = type === 'int' || type === 'real';
  return {
    name: marked.replace('!', ''),
    type: type as GucType,
    unit,
    min: counts ? Number(min) : -Infinity,
    max: counts ? Number(max) : Infinity,
    words: counts || rest === '' ? [] : rest.split('|'),
    restart: marked.endsWith('!'),
  };
}

/** Texts that are compared with what is in force: one notation each, and none that may hold a secret. */
export const COMPARED_TEXTS: readonly string[] = [
  'log_destination',
  'log_directory',
  'log_filename',
  'log_line_prefix',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
];
