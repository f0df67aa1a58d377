//! All that a server has, read by a client of it.

use bytes::Bytes;
use std::collections::BTreeMap;
use zabra::client::{Client, ClientError};
use zabra::types::{ErrorCode, Stat};

/// The znodes by path.
pub(super) type Tree = BTreeMap<String, Znode>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Znode {
    pub(super) data: Bytes,
    pub(super) stat: Stat,
}

/// Each server makes this one itself, with a time of its own.
const CONFIG: &str = "/zookeeper/config";

/// Reads the tree of the server that a client is connected to, as of now or later. A znode that
/// goes meanwhile is left out.
pub(super) async fn dump(client: &Client) -> Result<Tree, ClientError> {
    client.sync("/").await?;
    let mut tree = Tree::new();
    let mut paths = vec!["/".to_owned()];
    while let Some(path) = paths.pop() {
        if path == CONFIG {
            continue;
        }
        let found = match client.get(&path).await {
            Err(ClientError::Api(ErrorCode::NoNode)) => continue,
            found => found?,
        };
        if found.stat.num_children > 0 {
            let below = path.trim_end_matches('/');
            let names = client.children(&path).await?;
            paths.extend(names.iter().map(|name| format!("{below}/{name}")));
        }
        let data = found.data.unwrap_or_default();
        tree.insert(path, Znode { data, stat: found.stat });
    }
    Ok(tree)
}

/// Where two trees differ, in words.
pub(super) fn difference(one: &Tree, other: &Tree) -> Option<String> {
    let path = one.keys().chain(other.keys()).find(|path| one.get(*path) != other.get(*path))?;
    let shown = |tree: &Tree| tree.get(path).map(|node| node.stat.clone());
    Some(format!("{path}: {:?} and {:?}", shown(one), shown(other)))
}
