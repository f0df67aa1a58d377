//! Names of `mntr` whose figures are always 0 here.

/// Counters of what this server does not do or does not count.
pub(super) const IDLE_COUNTERS: [&str; 31] = [
    "add_dead_watcher_stall_time",
    "cnxn_closed_without_zk_server_running",
    "connection_revalidate_count",
    "dead_watchers_cleared",
    "dead_watchers_queued",
    "diff_count",
    "ensemble_auth_fail",
    "ensemble_auth_skip",
    "ensemble_auth_success",
    "insecure_admin_count",
    "large_requests_rejected",
    "outstanding_changes_queued",
    "outstanding_changes_removed",
    "prep_processor_request_queued",
    "quit_leading_due_to_disloyal_voter",
    "request_commit_queued",
    "request_throttle_wait_count",
    "requests_not_forwarded_to_commit_processor",
    "response_packet_cache_hits",
    "response_packet_cache_misses",
    "response_packet_get_children_cache_hits",
    "response_packet_get_children_cache_misses",
    "revalidate_count",
    "skip_learner_request_to_next_processor_count",
    "stale_replies",
    "stale_requests",
    "stale_requests_dropped",
    "throttled_ops",
    "tls_handshake_exceeded",
    "unrecoverable_error_count",
    "unsuccessful_handshake",
];

/// Gauges of what this server does not do.
pub(super) const IDLE_GAUGES: [&str; 3] =
    ["non_mtls_local_conn_count", "non_mtls_remote_conn_count", "outstanding_tls_handshake"];

/// Sets of counters and of summaries that never have members.
pub(super) const IDLE_COUNTER_SETS: [&str; 1] = ["quota_exceeded_error_per_namespace"];

/// The same of distributions.
pub(super) const IDLE_SUMMARY_SETS: [&str; 1] = ["ack_latency"];

/// Summaries of what this server does not do or does not measure.
pub(super) const IDLE_SUMMARIES: [&str; 33] = [
    "commit_commit_proc_req_queued",
    "commit_process_time",
    "concurrent_request_processing_in_commit_processor",
    "connection_token_deficit",
    "follower_sync_time",
    "inflight_diff_count",
    "inflight_snap_count",
    "leader_unavailable_time",
    "learner_request_processor_queue_size",
    "netty_queued_buffer_capacity",
    "node_changed_watch_count",
    "node_children_watch_count",
    "node_created_watch_count",
    "node_deleted_watch_count",
    "observer_sync_time",
    "pending_session_queue_size",
    "prep_process_time",
    "prep_processor_queue_size",
    "proposal_process_time",
    "read_commit_proc_issued",
    "read_commit_proc_req_queued",
    "reads_after_write_in_session_queue",
    "reads_issued_from_session_queue",
    "requests_in_session_queue",
    "session_queues_drained",
    "socket_closing_time",
    "startup_snap_load_time",
    "startup_txns_load_time",
    "sync_processor_queue_size",
    "time_waiting_empty_pool_in_commit_processor_read_ms",
    "write_batch_time_in_commit_processor",
    "write_commit_proc_issued",
    "write_commit_proc_req_queued",
];

/// The same with percentiles.
pub(super) const IDLE_DISTRIBUTIONS: [&str; 16] = [
    "close_session_prep_time",
    "commit_propagation_latency",
    "dead_watchers_cleaner_latency",
    "jvm_pause_time_ms",
    "local_write_committed_time_ms",
    "om_commit_process_time_ms",
    "om_proposal_process_time_ms",
    "prep_processor_queue_time_ms",
    "proposal_ack_creation_latency",
    "proposal_latency",
    "read_commitproc_time_ms",
    "read_final_proc_time_ms",
    "request_throttle_queue_time_ms",
    "server_write_committed_time_ms",
    "write_commitproc_time_ms",
    "write_final_proc_time_ms",
];
