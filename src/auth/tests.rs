//! Schemes and lists against values and verdicts of ZooKeeper.

use super::digest;
use super::ip;
use super::*;
use crate::types::perms::{self, ADMIN, ALL, READ, WRITE};
use crate::types::{Acl, ErrorCode, Id};
use jute::client::{RawAcl, RawId};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};

const REMOTE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7));
/// The digest id of `user:password` under SHA1.
const USER: &str = "user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=";

fn id(scheme: &str, id: &str) -> Id {
    Id { scheme: scheme.to_owned(), id: id.to_owned() }
}

fn acl(perms: i32, scheme: &str, text: &str) -> Acl {
    Acl { perms, id: id(scheme, text) }
}

fn raw(perms: i32, scheme: Option<&str>, id: Option<&str>) -> RawAcl {
    RawAcl { perms, id: RawId { scheme: scheme.map(str::to_owned), id: id.map(str::to_owned) } }
}

fn fix(list: &[RawAcl], identities: &[Id]) -> Result<Vec<Acl>, ErrorCode> {
    AuthOptions::default().fix_acl(Some(list), identities)
}

fn algorithm(name: &str) -> DigestAlgorithm {
    name.parse().expect("an algorithm of the table")
}

#[test]
fn digests_are_javas() {
    for (name, hash) in [
        ("SHA1", "tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY="),
        ("SHA-224", "6GVb/vhYOXU2cAmhuRkcw8i4Z9QlgKhGYZai5Q=="),
        ("SHA-256", "yRsdas04PETE7CDJcj51jDEYKh9PAjHWPZElmi6hS50="),
        ("SHA-384", "htIoC30hHolTa+/hAI2QsaAqrqOKMHUmlPlzBeIkfRWNGBi/8/dVKpuOsOWVq8qs"),
        (
            "SHA-512",
            "jpg++2gII4jzID8eXmWBSuUbGt1jbK9iB9PlOOf0uNwG7O0rsNtKX7GP4vq+QM0ncsfbzxZTuyf0xv2Xbkfz1Q==",
        ),
        ("SHA-512/224", "MZdBJGxu8PSnKQpp+Fo/Xs6A8MWSKppTyvOXgQ=="),
        ("SHA-512/256", "BJ4p7RfQWcJD4uSvfIaTRHf2W3T/r7vXir0nGIUZvt4="),
        ("SHA3-224", "iE1hEZYPbgaQsjoOF7BzR3Lz7yiM2opep1De6g=="),
        ("SHA3-256", "NAR2RZ7JZxGXKOuQubzhytx9PjP71AWWZoOY+TVw1hw="),
        ("SHA3-384", "ohHEqQqd1LbhZS1M4c5EPH62D07UypO0a5QNAmWrxR442b/TvdLCT3OKB2ZtvgnF"),
        (
            "SHA3-512",
            "crJkDTyqNBLSeN9ANTupt+rbekG69LtWeiMDgZ83Q+aPOWeSWYcv+UR8e+oDQH+grRbbiWDlL9r4FgwNVo+jdg==",
        ),
    ] {
        let expected = format!("user:{hash}");
        assert_eq!(digest_id("user:password", algorithm(name)), expected, "{name}");
    }
}

#[test]
fn algorithms_go_by_their_java_names() {
    assert_eq!(DigestAlgorithm::default(), algorithm("SHA"));
    assert_eq!(algorithm("sha-1"), algorithm("SHA1"));
    assert_eq!(algorithm("sha256"), DigestAlgorithm::Sha256);
    for name in ["MD5", "MD2", "", "SHA2", "SHA3256"] {
        let error = name.parse::<DigestAlgorithm>().expect_err("no such algorithm");
        assert!(error.to_string().contains("SHA-512/256"), "{error}");
    }
}

#[test]
fn a_password_proves_a_digest_id() {
    let options = AuthOptions::default();
    let identities = options.authenticate("digest", b"user:password", REMOTE);
    assert_eq!(identities, Ok(vec![id("digest", USER)]));
}

#[test]
fn text_without_a_colon_is_a_user() {
    let identities = AuthOptions::default().authenticate("digest", b"user", REMOTE);
    assert_eq!(identities, Ok(vec![id("digest", "user:Et6pb+wgWTVmq3VpLJlJWWgzrck=")]));
}

#[test]
fn bytes_that_are_no_text_are_replaced_as_java_does() {
    let options = AuthOptions::default();
    let broken = options.authenticate("digest", b"\xffu:\xf0\x9f\x98p", REMOTE);
    let replaced = options.authenticate("digest", "\u{fffd}u:\u{fffd}p".as_bytes(), REMOTE);
    assert_eq!(broken, replaced);
}

#[test]
fn the_super_digest_makes_a_super_user_too() {
    let options = AuthOptions { super_digest: Some(USER.to_owned()), ..Default::default() };
    let expected = vec![id("super", ""), id("digest", USER)];
    assert_eq!(options.authenticate("digest", b"user:password", REMOTE), Ok(expected));
    let other = options.authenticate("digest", b"user:other", REMOTE).expect("digest is on");
    assert!(other.iter().all(|identity| identity.scheme == "digest"));
}

#[test]
fn the_ip_scheme_proves_the_address_whatever_is_sent() {
    let identities = AuthOptions::default().authenticate("ip", b"1.2.3.4", REMOTE);
    assert_eq!(identities, Ok(vec![id("ip", "10.0.0.7")]));
}

#[test]
fn schemes_that_are_not_there_prove_nothing() {
    let off = AuthOptions { digest_enabled: false, ..Default::default() };
    for scheme in ["", "world", "auth", "super", "x509", "sasl", "digest", "Digest", "IP"] {
        assert_eq!(off.authenticate(scheme, b"user:password", REMOTE), Err(AuthFailed));
    }
}

#[test]
fn addresses_are_written_as_java_does() {
    for (address, expected) in [
        ("1.2.3.4", "1.2.3.4"),
        ("::1", "0:0:0:0:0:0:0:1"),
        ("2001:db8::a0", "2001:db8:0:0:0:0:0:a0"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
    ] {
        assert_eq!(ip_identity(address.parse().expect("an address")), id("ip", expected));
    }
}

#[test]
fn digest_ids_in_lists_have_two_parts() {
    for good in ["a:b", ":b", "a:b:", "a:b::"] {
        assert!(digest::is_valid(good), "{good}");
    }
    for bad in ["", ":", ":::", "a", "a:", "a::", "a:b:c", "::b"] {
        assert!(!digest::is_valid(bad), "{bad}");
    }
}

#[test]
fn addresses_in_lists_are_read_as_zookeeper_does() {
    for good in [
        "1.2.3.4",
        "001.2.3.4",
        "+1.2.3.4",
        "-0.2.3.4",
        "1.2.3.4/0",
        "1.2.3.4/32",
        "1.2.3.4/+8",
        "::",
        "::1",
        "1::",
        "1:2:3:4:5:6:7:8",
        "::1/128",
        "2001:DB8::/32",
        "1:2:3::5:6:7:8",
        "::-1",
    ] {
        assert!(ip::is_valid(good), "{good}");
    }
    for bad in [
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.",
        "256.1.1.1",
        "-1.1.1.1",
        "1.2.3.4/33",
        "1.2.3.4/-1",
        "1.2.3.4/",
        "1.2.3.4/8/8",
        "a.b.c.d",
        ":",
        ":::",
        "1::2::3",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4::5:6:7:8",
        "::12345",
        "::g",
        "::1.2.3.4",
        "::1%eth0",
        "::1/129",
    ] {
        assert!(!ip::is_valid(bad), "{bad}");
    }
}

#[test]
fn networks_mean_the_addresses_in_them() {
    for (client, expression) in [
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3.4", "1.2.9.9/16"),
        ("1.2.255.4", "1.2.128.0/17"),
        ("9.9.9.9", "0.0.0.0/0"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("2001:db8:0:0:0:0:0:a0", "2001:db8::/32"),
        ("2001:db8:0:0:0:0:0:a0", "::/0"),
        ("2001:db8:0:0:0:0:0:a1", "2001:db8::a0/127"),
    ] {
        assert!(ip::matches(client, expression), "{client} {expression}");
    }
    for (client, expression) in [
        ("1.2.3.4", "1.2.3.5"),
        ("1.2.3.4", "1.3.0.0/16"),
        ("1.2.127.4", "1.2.128.0/17"),
        ("1.2.3.4", "::/0"),
        ("0:0:0:0:0:0:0:1", "0.0.0.0/0"),
        ("2001:db8:0:0:0:0:0:a2", "2001:db8::a0/127"),
        ("1.2.3.4", "nonsense"),
        ("nonsense", "0.0.0.0/0"),
    ] {
        assert!(!ip::matches(client, expression), "{client} {expression}");
    }
}

#[test]
fn lists_without_entries_are_refused() {
    let options = AuthOptions::default();
    assert_eq!(options.fix_acl(None, &[]), Err(ErrorCode::InvalidAcl));
    assert_eq!(options.fix_acl(Some(&[]), &[]), Err(ErrorCode::InvalidAcl));
}

#[test]
fn good_entries_pass_in_their_order_and_once() {
    let list = [
        raw(READ, Some("ip"), Some("1.2.3.4/8")),
        raw(ALL, Some("world"), Some("anyone")),
        raw(READ, Some("ip"), Some("1.2.3.4/8")),
        raw(63, Some("digest"), Some("a:b")),
        raw(-1, Some("digest"), Some("a:b")),
    ];
    let expected = vec![
        acl(READ, "ip", "1.2.3.4/8"),
        acl(ALL, "world", "anyone"),
        acl(63, "digest", "a:b"),
        acl(-1, "digest", "a:b"),
    ];
    assert_eq!(fix(&list, &[]), Ok(expected));
}

#[test]
fn entries_that_make_no_sense_are_refused() {
    for (scheme, id) in [
        ("world", "someone"),
        ("world", ""),
        ("digest", "a"),
        ("ip", "localhost"),
        ("super", ""),
        ("x509", "CN=a"),
        ("", ""),
    ] {
        let list = [raw(ALL, Some(scheme), Some(id))];
        assert_eq!(fix(&list, &[id_of_user()]), Err(ErrorCode::InvalidAcl), "{scheme}:{id}");
    }
    let off = AuthOptions { digest_enabled: false, ..Default::default() };
    let list = [raw(ALL, Some("digest"), Some("a:b"))];
    assert_eq!(off.fix_acl(Some(&list), &[]), Err(ErrorCode::InvalidAcl));
}

fn id_of_user() -> Id {
    id("digest", USER)
}

#[test]
fn nulls_earn_the_errors_that_zookeeper_gives() {
    let anyone = raw(READ, Some("world"), Some("anyone"));
    let no_scheme = |perms| raw(perms, None, Some("x"));
    let no_id = |perms| raw(perms, Some("world"), None);
    assert_eq!(fix(&[no_scheme(READ)], &[]), Err(ErrorCode::InvalidAcl));
    assert_eq!(fix(&[no_id(READ)], &[]), Err(ErrorCode::MarshallingError));
    assert_eq!(fix(&[raw(READ, Some("nope"), None)], &[]), Err(ErrorCode::InvalidAcl));
    // The comparison fails only if everything before the null was equal.
    assert_eq!(fix(&[anyone.clone(), no_scheme(READ)], &[]), Err(ErrorCode::MarshallingError));
    assert_eq!(fix(&[anyone.clone(), no_scheme(WRITE)], &[]), Err(ErrorCode::InvalidAcl));
    assert_eq!(fix(&[no_scheme(READ), anyone], &[]), Err(ErrorCode::InvalidAcl));
}

#[test]
fn auth_stands_for_all_proven_identities() {
    let identities = [ip_identity(REMOTE), id("super", ""), id("digest", "a:b"), id_of_user()];
    let expected = vec![acl(READ, "digest", "a:b"), acl(READ, "digest", USER)];
    for text in [Some(""), Some("whatever"), None] {
        assert_eq!(fix(&[raw(READ, Some("auth"), text)], &identities), Ok(expected.clone()));
    }
    let twice = [raw(READ, Some("auth"), None), raw(READ, Some("auth"), None)];
    assert_eq!(fix(&twice, &identities), Err(ErrorCode::MarshallingError));
}

#[test]
fn auth_without_a_proven_identity_is_refused() {
    let list = [raw(READ, Some("auth"), Some(""))];
    assert_eq!(fix(&list, &[]), Err(ErrorCode::InvalidAcl));
    assert_eq!(fix(&list, &[ip_identity(REMOTE), id("super", "")]), Err(ErrorCode::InvalidAcl));
}

#[test]
fn auth_does_not_blow_a_list_up() {
    let identities: Vec<_> = (0..1000).map(|user| id("digest", &format!("u{user}:x"))).collect();
    let list: Vec<_> = (0..10_000).map(|perms| raw(perms, Some("auth"), Some(""))).collect();
    assert_eq!(fix(&list, &identities), Err(ErrorCode::InvalidAcl));
    assert_eq!(fix(&list[..100], &identities).map(|list| list.len()), Ok(100_000));
}

#[test]
fn long_lists_are_checked_quickly() {
    let list: Vec<_> = (0..80_000).map(|perms| raw(perms, Some("world"), Some("anyone"))).collect();
    assert_eq!(fix(&list, &[]).map(|list| list.len()), Ok(80_000));
}

fn allows(list: &[Acl], perm: i32, identities: &[Id]) -> bool {
    AuthOptions::default().allows(list, perm, identities)
}

#[test]
fn an_empty_list_lets_everyone_pass() {
    assert!(allows(&[], ADMIN, &[]));
}

#[test]
fn one_common_permission_is_enough() {
    let list = perms::world(READ);
    assert!(allows(&list, READ, &[]));
    assert!(allows(&list, READ | ADMIN, &[]));
    assert!(!allows(&list, WRITE, &[]));
    assert!(!allows(&list, 0, &[]));
}

#[test]
fn an_entry_means_the_identity_it_names() {
    let list = [acl(WRITE, "digest", USER), acl(READ, "ip", "10.0.0.0/8")];
    let (user, other) = (id_of_user(), id("digest", "other:x"));
    assert!(allows(&list, WRITE, &[other.clone(), user.clone()]));
    assert!(!allows(&list, WRITE, &[other]));
    assert!(!allows(&list, READ, &[user]));
    assert!(allows(&list, READ, &[ip_identity(REMOTE)]));
    assert!(!allows(&list, READ, &[id("digest", "10.0.0.7")]));
}

#[test]
fn entries_of_unknown_schemes_mean_nobody() {
    for scheme in ["x509", "auth", "super", ""] {
        assert!(!allows(&[acl(ALL, scheme, "a")], READ, &[id("x509", "a"), id("auth", "a")]));
    }
    let off = AuthOptions { digest_enabled: false, ..Default::default() };
    assert!(!off.allows(&[acl(ALL, "digest", USER)], READ, &[id_of_user()]));
    assert!(!allows(&[acl(ALL, "world", "someone")], READ, &[id("world", "someone")]));
}

#[test]
fn super_users_may_do_everything() {
    assert!(allows(&[acl(READ, "digest", USER)], ADMIN, &[id("super", "")]));
    assert!(allows(&[acl(0, "digest", USER)], ADMIN, &[id("super", "CN=root")]));
}

#[test]
fn skipped_lists_stop_nobody() {
    let options = AuthOptions { skip_acl: true, ..Default::default() };
    assert!(options.allows(&[acl(0, "digest", USER)], ADMIN, &[]));
}

#[test]
fn hashes_are_masked() {
    let list = [
        acl(READ, "digest", USER),
        acl(READ, "digest", "a:b:c\nd"),
        acl(READ, "digest", "a"),
        acl(READ, "ip", "::1"),
    ];
    let expected = [
        acl(READ, "digest", "user:x"),
        acl(READ, "digest", "a:x"),
        acl(READ, "digest", "a"),
        acl(READ, "ip", "::1"),
    ];
    assert_eq!(mask_digests(&list), expected);
}

#[test]
fn users_have_names_without_secrets() {
    assert_eq!(user_name(&id_of_user()), "user");
    assert_eq!(user_name(&id("digest", ":")), "");
    assert_eq!(user_name(&ip_identity(REMOTE)), "10.0.0.7");
    assert_eq!(user_name(&id("super", "x")), "");
}

#[test]
fn identities_are_kept_once_in_their_order() {
    let mut known = vec![ip_identity(REMOTE)];
    add_identities(&mut known, [id_of_user(), ip_identity(REMOTE), id("super", ""), id_of_user()]);
    assert_eq!(known, [ip_identity(REMOTE), id_of_user(), id("super", "")]);
}

fn enforcing(schemes: &[&str]) -> AuthOptions {
    let schemes = schemes.iter().map(|scheme| (*scheme).to_owned()).collect();
    AuthOptions { enforced_schemes: Some(schemes), ..Default::default() }
}

#[test]
fn one_enforced_scheme_must_be_proven() {
    assert!(AuthOptions::default().is_sufficient(&[]));
    let options = enforcing(&["sasl", "digest"]);
    assert!(!options.is_sufficient(&[ip_identity(REMOTE)]));
    assert!(options.is_sufficient(&[ip_identity(REMOTE), id_of_user()]));
}

#[test]
fn only_schemes_that_are_there_can_be_enforced() {
    assert_eq!(AuthOptions::default().validate(), Ok(()));
    assert_eq!(enforcing(&["digest", "ip"]).validate(), Ok(()));
    assert_eq!(enforcing(&[]).validate(), Err(AuthConfigError::NoEnforcedScheme));
    let missing = AuthConfigError::UnavailableScheme("sasl".to_owned());
    assert_eq!(enforcing(&["digest", "sasl"]).validate(), Err(missing));
}

/// ZooKeeper's own way of dropping duplicates: each entry against all before it.
fn naive_fix(list: &[RawAcl]) -> Result<Vec<&RawAcl>, ErrorCode> {
    let mut unique: Vec<&RawAcl> = Vec::new();
    'entries: for entry in list {
        for earlier in &unique {
            let same = |text: &Option<String>, other: &Option<String>| match text {
                None => Err(ErrorCode::MarshallingError),
                Some(_) => Ok(text == other),
            };
            if entry.perms == earlier.perms
                && same(&entry.id.scheme, &earlier.id.scheme)?
                && same(&entry.id.id, &earlier.id.id)?
            {
                continue 'entries;
            }
        }
        unique.push(entry);
    }
    Ok(unique)
}

fn any_entry() -> impl Strategy<Value = RawAcl> {
    let scheme = prop::sample::select(vec![None, Some("world"), Some("digest"), Some("auth")]);
    let id = prop::sample::select(vec![None, Some("anyone"), Some("a:b")]);
    (0..3_i32, scheme, id).prop_map(|(perms, scheme, id)| raw(perms, scheme, id))
}

proptest! {
    #[test]
    fn duplicates_and_nulls_are_found_as_by_comparing_all(
        list in proptest::collection::vec(any_entry(), 0..6),
    ) {
        let expected = naive_fix(&list).and_then(|unique| {
            let unique: Vec<_> = unique.into_iter().cloned().collect();
            // Entries that are all different cannot fail or vanish for being compared.
            let one_by_one: Result<Vec<_>, _> = unique
                .iter()
                .map(|entry| fix(std::slice::from_ref(entry), &[id_of_user()]))
                .collect();
            one_by_one.map(|lists| lists.concat())
        });
        let expected = if list.is_empty() { Err(ErrorCode::InvalidAcl) } else { expected };
        prop_assert_eq!(fix(&list, &[id_of_user()]), expected);
    }

    #[test]
    fn no_bytes_do_harm(data: Vec<u8>, text: String, other: String) {
        let options = AuthOptions { super_digest: Some(text.clone()), ..Default::default() };
        for scheme in ["digest", "ip", &other] {
            let identities = options.authenticate(scheme, &data, REMOTE).unwrap_or_default();
            let list = [raw(ALL, Some(scheme), Some(&text)), raw(ALL, Some("auth"), None)];
            if let Ok(list) = options.fix_acl(Some(&list), &identities) {
                prop_assert_eq!(mask_digests(&list).len(), list.len());
                prop_assert!(options.allows(&list, READ, &identities));
            }
            for identity in &identities {
                prop_assert!(identity.id.starts_with(&user_name(identity)));
            }
        }
    }

    #[test]
    fn no_address_does_harm(client in "[0-9a-f:./+-]{0,12}", expression in "[0-9a-f:./+-]{0,12}") {
        if ip::matches(&client, &expression) {
            prop_assert!(ip::is_valid(&expression));
        }
    }

    #[test]
    fn every_address_lies_in_all_its_networks(bits: u128, prefix in 0..=128_u32) {
        let address = ip_identity(IpAddr::V6(bits.into())).id;
        prop_assume!(address.contains(':'));
        let expression = format!("{address}/{prefix}");
        prop_assert!(ip::matches(&address, &expression));
        if prefix > 0 {
            // The last bit of the network part decides.
            let other = ip_identity(IpAddr::V6((bits ^ (1 << (128 - prefix))).into())).id;
            prop_assert!(!ip::matches(&other, &expression));
        }
    }
}
