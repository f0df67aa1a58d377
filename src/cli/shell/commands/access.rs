//! Commands about who may do what: access control lists and identities.

use crate::cli::shell::command::{Call, Command, Flag, Interrupt, Origin};
use crate::cli::shell::failure::{At, Failure};
use crate::cli::shell::walk;
use crate::cli::shell::{Shell, acl, render};
use crate::client::{Client, ClientError};
use crate::types::{Acl, ErrorCode};
use serde_json::json;

pub(in crate::cli::shell) const GET_ACL: Command = Command {
    name: "getAcl",
    usage: "[-s] path",
    summary: "Print the access control list of a znode",
    example: "getAcl /app\ngetAcl -s /app",
    flags: &[Flag::new("s", "print the stat too")],
    operands: (1, 1),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(get_acl(shell, call)),
};

async fn get_acl(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let path = call.path(0)?;
    let client = shell.client().await?;
    let found = client.get_acl(path).await.at(path)?;
    for Acl { perms, id } in &found.acl {
        let perms = render::perms_text(*perms);
        shell.out.line(format_args!("'{},'{}\n: {perms}", id.scheme, id.id))?;
    }
    let mut value = json!({ "path": path, "acl": render::acl_json(&found.acl) });
    if call.has("s") {
        render::stat(&mut shell.out, &found.stat)?;
        value["stat"] = render::stat_json(&found.stat);
    }
    Ok(shell.out.json(&value)?)
}

pub(in crate::cli::shell) const SET_ACL: Command = Command {
    name: "setAcl",
    usage: "[-s] [-v version] [-R] path acl",
    summary: "Change the access control list of a znode",
    example: "setAcl /app world:anyone:r,auth::cdrwa\nsetAcl -R /app world:anyone:cdrwa",
    flags: &[
        Flag::new("s", "print the new stat"),
        Flag::valued("v", "version", "only if this is the version of the list"),
        Flag::new("R", "all descendants too"),
    ],
    operands: (2, 2),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(set_acl(shell, call)),
};

async fn set_acl(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let acl = acl::parse(&mut shell.out, call.operand(1))?;
    let version = call.version("v")?;
    let path = call.path(0)?;
    if acl.is_empty() {
        return Err(ClientError::Api(ErrorCode::InvalidAcl).into());
    }
    let client = shell.client().await?;
    if call.has("R") {
        return set_acl_recursive(shell, &client, path, &acl, version).await;
    }
    let stat = client.set_acl(path, &acl, version).await.at(path)?;
    if call.has("s") {
        render::stat(&mut shell.out, &stat)?;
    }
    Ok(shell.out.json(&json!({ "path": path, "stat": render::stat_json(&stat) }))?)
}

/// Changes each znode before its children are listed. What is refused is told and left.
async fn set_acl_recursive(
    shell: &mut Shell,
    client: &Client,
    root: &str,
    acl: &[Acl],
    version: Option<i32>,
) -> Result<(), Failure> {
    client.get(root).await.at(root)?;
    let mut walk = walk::Walk::new(root);
    let mut found = vec![root.to_owned()];
    loop {
        for path in &found {
            match client.set_acl(path, acl, version).await {
                Ok(stat) => {
                    let stat = render::stat_json(&stat);
                    shell.out.json(&json!({ "path": path, "stat": stat }))?;
                }
                Err(ClientError::Api(code)) => {
                    shell.out.line(format_args!("KeeperErrorCode = {code} for {path}"))?;
                    shell.out.json(&json!({ "path": path, "error": format!("{code:?}") }))?;
                }
                Err(error) => return Err(error).at(path),
            }
        }
        match walk.next(client).await? {
            Some(next) => found = next,
            None => return Ok(()),
        }
    }
}

pub(in crate::cli::shell) const ADDAUTH: Command = Command {
    name: "addauth",
    usage: "scheme auth",
    summary: "Prove an identity, for as long as the shell stays with these servers",
    example: "addauth digest ann:secret",
    flags: &[],
    operands: (1, 2),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(addauth(shell, call)),
};

async fn addauth(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let (scheme, auth) = (call.operand(0), call.operand(1).as_bytes());
    let client = shell.client().await?;
    client.add_auth(scheme, auth).await?;
    shell.session.remember_auth(scheme, auth);
    Ok(shell.out.json(&json!({ "scheme": scheme }))?)
}

pub(in crate::cli::shell) const WHOAMI: Command = Command {
    name: "whoami",
    usage: "",
    summary: "List the identities that the server knows this connection by",
    example: "whoami",
    flags: &[],
    operands: (0, 0),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, _| Box::pin(whoami(shell)),
};

async fn whoami(shell: &mut Shell) -> Result<(), Failure> {
    let client = shell.client().await?;
    let identities = client.whoami().await?;
    shell.out.line("Auth scheme: User")?;
    for identity in &identities {
        shell.out.line(format_args!("{}: {}", identity.auth_scheme, identity.user))?;
    }
    let identity = |identity: &crate::client::ClientInfo| {
        let (scheme, user) = (&identity.auth_scheme, &identity.user);
        json!({ "scheme": scheme, "user": user })
    };
    let identities: Vec<_> = identities.iter().map(identity).collect();
    Ok(shell.out.json(&json!({ "identities": identities }))?)
}
