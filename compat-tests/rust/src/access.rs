//! Scenarios of ACLs, authentication and transactions.

use crate::world::{Failure, OPEN, Outcome, World, check, equal, refused};
use zookeeper_client::{Acl, Acls, AuthId, AuthUser, CreateMode, Error};
use zookeeper_client::{MultiReadResult, MultiWriteError, MultiWriteResult, Permission};

/// user:right, as the digest scheme writes it: the Base64 of its SHA-1.
const DIGEST: &str = "user:S0kyYfsRwDoJrADANzip+An/nEc=";

pub async fn acl_auth(world: &World) -> Outcome {
    let client = world.rooted().await?;
    let other = world.client().await?;
    let secret = world.path("secret");
    let user = Acl::new(Permission::ALL, AuthId::new("digest", DIGEST));
    let only_user = [user.clone()];
    let options = CreateMode::Persistent.with_acls(Acls::new(&only_user));
    client.create(&secret, b"s", &options).await?;
    refused(client.get_data(&secret).await, Error::NoAuth)?;
    client.auth("digest", b"user:wrong").await?;
    refused(client.set_data(&secret, b"", None).await, Error::NoAuth)?;
    client.auth("digest", b"user:right").await?;
    equal(client.get_data(&secret).await?.0, b"s")?;

    let (found, stat) = client.get_acl(&secret).await?;
    equal(&found, &only_user.to_vec())?;
    equal(stat.aversion, 0)?;
    let readable = [user, Acl::new(Permission::READ, AuthId::new("world", "anyone"))];
    refused(client.set_acl(&secret, &readable, Some(7)).await, Error::BadVersion)?;
    let stat = client.set_acl(&secret, &readable, Some(0)).await?;
    equal([stat.aversion, stat.version], [1, 0])?;

    other.sync(&secret).await?;
    other.get_data(&secret).await?;
    refused(other.set_data(&secret, b"", None).await, Error::NoAuth)?;
    refused(other.set_acl(&secret, &only_user, None).await, Error::NoAuth)?;
    other.auth("digest", b"super:secret").await?;
    other.set_data(&secret, b"by super", None).await?;

    let own = CreateMode::Persistent.with_acls(Acls::creator_all());
    client.create(&world.path("own"), b"", &own).await?;
    let (found, _) = client.get_acl(&world.path("own")).await?;
    equal(found.iter().map(Acl::scheme).collect::<Vec<_>>(), ["digest", "digest"])?;
    refused(world.client().await?.auth("unknown", b"x").await, Error::AuthFailed)
}

pub async fn whoami(world: &World) -> Outcome {
    let client = world.client().await?;
    client.auth("digest", b"user:right").await?;
    let mut users = client.list_auth_users().await?;
    users.sort_by(|left, right| left.scheme().cmp(right.scheme()));
    equal(users, [AuthUser::new("digest", "user"), AuthUser::new("ip", "127.0.0.1")])
}

pub async fn multi(world: &World) -> Outcome {
    let client = world.rooted().await?;
    let (node, other) = (world.path("node"), world.path("other"));
    let sequential = CreateMode::PersistentSequential.with_acls(Acls::anyone_all());
    let mut writer = client.new_multi_writer();
    writer.add_create(&node, b"1", &OPEN)?;
    writer.add_create(&world.path("s-"), b"", &sequential)?;
    writer.add_set_data(&node, b"2", Some(0))?;
    writer.add_check_version(&node, 1)?;
    writer.add_create(&other, b"", &OPEN)?;
    writer.add_delete(&other, Some(0))?;
    let results = writer.commit().await?;
    let path = |at: usize| match &results[at] {
        MultiWriteResult::Create { path, .. } => path.as_str(),
        _ => "",
    };
    equal(results.len(), 6)?;
    equal([path(0), path(1)], [node.as_str(), &world.path("s-0000000001")])?;
    check(
        matches!(results[2], MultiWriteResult::SetData { stat } if stat.version == 1),
        format!("{results:?}"),
    )?;
    let before = client.get_data(&node).await?;
    equal(&before.0, b"2")?;

    let mut writer = client.new_multi_writer();
    writer.add_set_data(&node, b"3", Some(1))?;
    writer.add_create(&other, b"", &OPEN)?;
    writer.add_check_version(&node, 1)?;
    writer.add_delete(&world.root, None)?;
    let failed = MultiWriteError::OperationFailed { index: 2, source: Error::BadVersion };
    equal(writer.commit().await, Err(failed))?;
    equal(client.get_data(&node).await?, before)?;
    equal(client.check_stat(&other).await?, None)
}

pub async fn multi_read(world: &World) -> Outcome {
    let client = world.rooted().await?;
    let node = world.path("node");
    client.create(&node, b"x", &OPEN).await?;
    let mut reader = client.new_multi_reader();
    reader.add_get_data(&node)?;
    reader.add_get_data(&world.path("missing"))?;
    reader.add_get_children(&world.root)?;
    let results = reader.commit().await?;
    match results.as_slice() {
        [
            MultiReadResult::Data { data, stat },
            MultiReadResult::Error { err: Error::NoNode },
            MultiReadResult::Children { children },
        ] => {
            equal((data.as_slice(), stat.version), (&b"x"[..], 0))?;
            equal(children, &vec!["node".to_owned()])
        }
        _ => Err(Failure::new(format!("{results:?}"))),
    }
}
