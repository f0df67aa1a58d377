//! Hard quotas.

use super::*;
use ErrorCode::QuotaExceeded;

const LIMITS: &str = "/zookeeper/quota/q/zookeeper_limits";
const STATS: &str = "/zookeeper/quota/q/zookeeper_stats";

fn sized(path: &str, data: &[u8]) -> Request {
    let data = Some(Bytes::copy_from_slice(data));
    Request::Create(CreateOp { data, ..create_op(OpCode::Create, Some(path), 0, -1) })
}

/// `/q`, with 2 bytes, under limits.
fn limited(options: PrepOptions, limits: &str) -> Bench {
    let mut bench = Bench::new(options);
    bench.run_all(&[
        sized("/q", b"12"),
        create("/zookeeper/quota/q", 0),
        sized(LIMITS, limits.as_bytes()),
        sized(STATS, b""),
    ]);
    bench
}

#[test]
fn hard_limits_refuse_what_oversteps_them() {
    let limits = "count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=3";
    for applying in [false, true] {
        let mut bench = limited(options(), limits);
        let mut ask = |request: &Request| {
            let txn = bench.pend(request);
            if applying {
                bench.apply();
            }
            txn
        };
        assert!(matches!(ask(&sized("/q/a", b"1234")), Txn::Create(_)));
        assert_eq!(ask(&sized("/q/b", b"12345")), refused(QuotaExceeded));
        assert!(matches!(ask(&sized("/q/b", b"1234")), Txn::Create(_)));
        assert_eq!(ask(&sized("/q/b/c", b"")), refused(QuotaExceeded));
        assert_eq!(ask(&set_data("/q/a", b"12345", -1)), refused(QuotaExceeded));
        // The quota is looked at before the version.
        assert_eq!(ask(&set_data("/q/a", b"12345", 9)), refused(QuotaExceeded));
        assert_eq!(ask(&set_data("/q/a", b"4321", 9)), refused(ErrorCode::BadVersion));
        assert!(matches!(ask(&set_data("/q/a", b"4321", -1)), Txn::SetData(_)));
        assert!(matches!(ask(&delete("/q/b", -1)), Txn::Delete(_)));
        assert!(matches!(ask(&set_data("/q/a", b"12345678", -1)), Txn::SetData(_)));
        assert_eq!(ask(&set_data("/q/a", b"123456789", -1)), refused(QuotaExceeded));
        assert!(matches!(ask(&set_data("/q/a", b"1234567", -1)), Txn::SetData(_)));
        assert!(matches!(ask(&set_data("/q/a", b"12345678", -1)), Txn::SetData(_)));
        assert!(matches!(ask(&sized("/q/b", b"")), Txn::Create(_)));
        assert!(matches!(ask(&sized("/beside", b"12345678901")), Txn::Create(_)));
        bench.apply();
    }
}

#[test]
fn a_change_that_shrinks_too_little_is_refused_too() {
    let mut bench = limited(options(), "count=-1,bytes=-1=;byteHardLimit=1");
    assert_eq!(bench.run(&sized("/q/a", b"1")), refused(QuotaExceeded));
    bench.run_all(&[sized("/q/a", b"")]);
    bench.run_all(&[set_data(LIMITS, b"count=-1,bytes=-1", -1), set_data("/q", b"12345", -1)]);
    bench.run_all(&[set_data(LIMITS, b"count=-1,bytes=-1=;byteHardLimit=1", -1)]);
    assert_eq!(bench.run(&set_data("/q", b"1234", -1)), refused(QuotaExceeded));
    bench.run_all(&[set_data("/q", b"1", -1)]);
}

#[test]
fn a_failed_multi_uses_no_quota() {
    let mut bench = limited(options(), "count=-1,bytes=-1=;countHardLimit=2");
    let failing = multi([sized("/q/a", b""), delete("/none", -1)]);
    assert!(matches!(bench.pend(&failing), Txn::Multi(_)));
    let both = multi([sized("/q/a", b""), sized("/q/b", b"")]);
    let Txn::Multi(parts) = bench.pend(&both) else { panic!("it is refused") };
    assert_eq!(parts[1], refused(QuotaExceeded));
    assert!(matches!(bench.pend(&sized("/q/a", b"")), Txn::Create(_)));
    bench.apply();
}

#[test]
fn a_closed_session_gives_its_quota_back() {
    let mut bench = limited(options(), "count=-1,bytes=-1=;countHardLimit=2");
    assert!(matches!(bench.pend(&create("/q/e", 1)), Txn::Create(_)));
    assert_eq!(bench.prepare(BOB, &create("/q/f", 0)).body, refused(QuotaExceeded));
    bench.pend(&Request::CloseSession);
    assert!(matches!(bench.prepare(BOB, &create("/q/f", 0)).body, Txn::Create(_)));
    bench.apply();
}

#[test]
fn what_was_cleared_uses_no_quota() {
    let mut bench = limited(options(), "count=-1,bytes=-1=;countHardLimit=2");
    bench.pend(&sized("/q/a", b""));
    bench.prep.clear();
    bench.prepared.clear();
    assert!(matches!(bench.run(&sized("/q/a", b"")), Txn::Create(_)));
}

#[test]
fn soft_limits_and_unenforced_ones_refuse_nothing() {
    let mut bench = limited(options(), "count=1,bytes=1");
    bench.run_all(&[sized("/q/a", b"12"), set_data("/q", b"123", -1)]);
    let unenforced = PrepOptions { enforce_quota: false, ..options() };
    let mut bench = limited(unenforced, "count=-1,bytes=-1=;countHardLimit=1;byteHardLimit=1");
    bench.run_all(&[sized("/q/a", b"12"), set_data("/q", b"123", -1)]);
}

#[test]
fn limits_without_usage_refuse_nothing() {
    let mut bench = bench();
    bench.run_all(&[
        create("/q", 0),
        create("/zookeeper/quota/q", 0),
        sized(LIMITS, b"count=-1,bytes=-1=;countHardLimit=0"),
        create("/q/a", 0),
    ]);
}
