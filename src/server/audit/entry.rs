//! One entry of the audit log, and its texts (ZK: `AuditEvent`).

use std::fmt::Write;

/// What was done. The fields have ZooKeeper's names and order; what is not known is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) session: Option<String>,
    pub(super) user: String,
    pub(super) ip: Option<String>,
    pub(super) operation: &'static str,
    pub(super) znode: Option<String>,
    pub(super) znode_type: Option<&'static str>,
    pub(super) acl: Option<String>,
    pub(super) result: &'static str,
}

impl Entry {
    /// The server itself starts or stops.
    pub(super) fn of_server(operation: &'static str, result: &'static str) -> Self {
        Self { user: process_user(), operation, result, ..Self::default() }
    }

    /// Whether something was refused.
    pub(super) fn is_failure(&self) -> bool {
        self.result == "failure"
    }

    /// The fields that there are.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let fields = [
            ("session", self.session.as_deref()),
            ("user", Some(self.user.as_str())),
            ("ip", self.ip.as_deref()),
            ("operation", Some(self.operation)),
            ("znode", self.znode.as_deref()),
            ("znode_type", self.znode_type),
            ("acl", self.acl.as_deref()),
            ("result", Some(self.result)),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    /// The line, without its end: fields with tabs between them.
    pub(super) fn line(&self) -> String {
        let mut line = String::new();
        for (name, value) in self.fields() {
            let tab = if line.is_empty() { "" } else { "\t" };
            let _ = write!(line, "{tab}{name}={}", escaped(value));
        }
        line
    }
}

/// A value in which nothing can pass for another field or another line: a refused path may hold
/// anything.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
    }
    text
}

/// Who has started this server, by its name if the system knows one (ZK: `user.name`).
fn process_user() -> String {
    let id = rustix::process::geteuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    user_in(&users, id).unwrap_or_else(|| id.to_string())
}

fn user_in(users: &str, id: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id.to_string()).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_zookeeper() {
        let entry = Entry {
            session: Some("0x10001eac6d60000".to_owned()),
            user: "127.0.0.1,u".to_owned(),
            ip: Some("127.0.0.1".to_owned()),
            operation: "create",
            znode: Some("/m".to_owned()),
            znode_type: Some("persistent"),
            acl: None,
            result: "success",
        };
        let theirs = "session=0x10001eac6d60000\tuser=127.0.0.1,u\tip=127.0.0.1\t\
                      operation=create\tznode=/m\tznode_type=persistent\tresult=success";
        assert_eq!(entry.line(), theirs);
        let start = Entry { user: "root".to_owned(), ..Entry::of_server("serverStart", "success") };
        assert_eq!(start.line(), "user=root\toperation=serverStart\tresult=success");
    }

    #[test]
    fn a_path_cannot_forge_a_line() {
        let znode = Some("/a\tresult=success\nuser=me".to_owned());
        let entry = Entry { znode, operation: "create", result: "failure", ..Entry::default() };
        let line = "user=\toperation=create\tznode=/a\\tresult=success\\nuser=me\tresult=failure";
        assert_eq!(entry.line(), line);
    }

    #[test]
    fn users_are_found_by_number() {
        let users = "root:x:0:0:root:/root:/bin/bash\nzookeeper:x:1000:1000::/:/bin/sh\nbroken\n";
        assert_eq!(user_in(users, 1000).as_deref(), Some("zookeeper"));
        assert_eq!(user_in(users, 1), None);
    }
}
