//! What several tests need: the schema as it lies on disk, and every record by its name.

#![allow(dead_code, reason = "each test program uses a part")]

use bytes::Bytes;
use jute::compiler::{Module, Record, Schema, Shape, TextFile, Type};
use jute::{Decode, DecodeError, Decoder, Encode, Limits, client, disk, quorum, txn};
use std::fs;
use std::path::Path;

/// The folder of the schemas.
pub(crate) const SCHEMA_DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schema");
/// The folder of the committed compiler output.
pub(crate) const GENERATED_DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/generated");

/// All files of a folder, sorted by name.
pub(crate) fn text_files(folder: impl AsRef<Path>) -> Vec<TextFile> {
    let mut files: Vec<TextFile> = fs::read_dir(folder)
        .expect("the folder exists")
        .map(|entry| entry.expect("the folder is readable"))
        .map(|entry| TextFile {
            name: entry.file_name().into_string().expect("names are UTF-8"),
            text: fs::read_to_string(entry.path()).expect("the files are text"),
        })
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

/// The schema of this crate's records.
pub(crate) fn schema() -> Schema {
    Schema::compile(&text_files(SCHEMA_DIR)).expect("the schemas are right")
}

/// Decodes a record that must fill its bytes, checks that its length is what it says, and encodes
/// it again.
pub(crate) type Recode = fn(Bytes, Limits) -> Result<Bytes, DecodeError>;

fn recode<T>(bytes: Bytes, limits: Limits) -> Result<Bytes, DecodeError>
where
    T: Encode + Decode + Clone + Default + PartialEq + std::fmt::Debug,
{
    let mut input = Decoder::with_limits(bytes, limits);
    let value = T::decode(&mut input)?;
    input.finish()?;
    let again = value.to_bytes();
    assert_eq!(value.encoded_len(), again.len(), "{value:?}");
    assert_eq!(T::from_bytes(again.clone()).as_ref(), Ok(&value));
    Ok(again)
}

macro_rules! recoders {
    ($($module:ident: $($record:ident)*;)*) => {
        &[$($((stringify!($module), stringify!($record), recode::<$module::$record>),)*)*]
    };
}

/// Every record with its module and its coder. A new record of a schema is to be added by hand.
pub(crate) const RECORDS: &[(&str, &str, Recode)] = recoders! {
    client: Id Acl RawId RawAcl Stat ConnectRequest ConnectResponse RequestHeader ReplyHeader
        AuthPacket CreateRequest CreateTtlRequest PathVersion PathWatch PathOnly SetDataRequest
        SetAclRequest ReconfigRequest PathKind SetWatches SetWatches2 MultiHeader SaslToken
        PathResponse PathStat DataStat AclStat Names NamesStat Total ErrorResponse ClientInfo
        WhoAmIResponse WatcherEvent;
    disk: StatPersisted ZnodeRecord SessionRecord TreeMark TreeBase StoreMeta ImportMark FileHeader;
    quorum: QuorumPacket LearnerInfo QuorumAuthPacket;
    txn: TxnHeader TxnDigest CreateTxn CreateContainerTxn CreateTtlTxn DeleteTxn SetDataTxn
        SetAclTxn CheckVersionTxn CreateSessionTxn CloseSessionTxn ErrorTxn SubTxn MultiTxn;
};

/// All records of the schema, each with its coder; fails if [`RECORDS`] lacks one.
pub(crate) fn records(schema: &Schema) -> Vec<(&Record, Recode)> {
    let records: Vec<_> = schema
        .modules()
        .iter()
        .flat_map(|module| module.records.iter().map(move |record| (module, record)))
        .map(|(module, record)| (record, coder(module, record)))
        .collect();
    assert_eq!(records.len(), RECORDS.len());
    records
}

fn coder(module: &Module, record: &Record) -> Recode {
    let (module, record) = (module.name.text.as_str(), record.name.text.as_str());
    RECORDS
        .iter()
        .find(|(m, r, _)| (*m, *r) == (module, record))
        .unwrap_or_else(|| panic!("`{module}::{record}` is missing from RECORDS in {}", file!()))
        .2
}

/// The record of a name; the schema's record names are unique over all modules.
pub(crate) fn find<'s>(schema: &'s Schema, name: &str) -> &'s Record {
    let mut found = schema.modules().iter().filter_map(|module| module.record(name));
    let record = found.next().expect("the schema has been checked");
    assert!(found.next().is_none(), "two records are called `{name}`");
    record
}

/// The shortest encoding of a type without nulls.
pub(crate) fn shortest(schema: &Schema, ty: &Type) -> Vec<u8> {
    match &ty.shape {
        Shape::Boolean | Shape::Byte => vec![0],
        Shape::Int | Shape::Ustring | Shape::Buffer | Shape::Vector(_) => vec![0; 4],
        Shape::Long => vec![0; 8],
        Shape::Record(name) => {
            let fields = &find(schema, name).fields;
            fields.iter().flat_map(|field| shortest(schema, &field.ty)).collect()
        }
    }
}
