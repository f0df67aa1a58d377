//! A server that keeps nothing: it answers every frame with a canned reply of the right form.
//!
//! What a load generator reaches with it is the ceiling that the network, the frames and the load
//! generator itself set for any server on the machine. Replies echo paths where clients need them
//! back; everything else is the same for everybody.

use super::args::StubArgs;
use crate::proto::{Hello, MultiOp, MultiRequest, MultiResponse, MultiResult, OpCode, Welcome};
use crate::types::{Acl, ErrorCode, Stat, perms};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use jute::client::{
    AclStat, ConnectResponse, CreateRequest, DataStat, Names, NamesStat, PathResponse, PathStat,
    ReplyHeader, RequestHeader, Total, WhoAmIResponse,
};
use jute::{Decode, DecodeError, Decoder, Encode};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Bodies of replies, encoded once.
#[derive(Debug)]
struct Canned {
    stat: Bytes,
    data: Bytes,
    acl: Bytes,
    children: Bytes,
    children2: Bytes,
    result_data: DataStat,
    last_session: AtomicI64,
}

const READ_BYTES: usize = 64 * 1024;

/// Listens as the arguments say, and serves until the process ends.
pub(super) async fn run(args: &StubArgs) -> io::Result<()> {
    let listener = TcpListener::bind((args.address.as_str(), args.port)).await?;
    writeln!(io::stdout().lock(), "stub on {}", listener.local_addr()?)?;
    serve(listener, args.size, args.children).await
}

/// Serves connections with so many bytes of data and so many names of children.
pub(super) async fn serve(listener: TcpListener, size: usize, children: usize) -> io::Result<()> {
    let canned = Arc::new(Canned::new(size, children));
    loop {
        let (stream, _) = listener.accept().await?;
        let canned = Arc::clone(&canned);
        tokio::spawn(async move {
            if let Err(error) = serve_one(stream, &canned).await {
                tracing::debug!("a connection ends: {error}");
            }
        });
    }
}

impl Canned {
    fn new(size: usize, children: usize) -> Self {
        let stat = Stat { czxid: 1, mzxid: 1, pzxid: 1, ..Stat::default() };
        let data = Some(Bytes::from(vec![b'x'; size]));
        let result_data = DataStat { data, stat: stat.clone() };
        let acl: Vec<Acl> = perms::world(perms::ALL);
        let names: Vec<_> = (0..children).map(|number| format!("n{number}")).collect();
        Self {
            stat: stat.to_bytes(),
            data: result_data.to_bytes(),
            acl: AclStat { acl, stat: stat.clone() }.to_bytes(),
            children: Names { names: names.clone() }.to_bytes(),
            children2: NamesStat { names, stat }.to_bytes(),
            result_data,
            last_session: AtomicI64::new(0x0100_0000_0000_0000),
        }
    }

    /// Appends a reply's frame. False for the last one of a connection.
    fn answer(&self, mut frame: Bytes, out: &mut BytesMut) -> Result<bool, DecodeError> {
        let mut input = Decoder::new(frame.clone());
        let RequestHeader { xid, op } = RequestHeader::decode(&mut input)?;
        frame.advance(8);
        let op = OpCode::from_number(op).ok_or(DecodeError::UnknownVariant(op))?;
        match op {
            OpCode::Exists | OpCode::SetData | OpCode::SetAcl => reply(out, xid, &self.stat),
            OpCode::GetData | OpCode::Reconfig => reply(out, xid, &self.data),
            OpCode::GetAcl => reply(out, xid, &self.acl),
            OpCode::GetChildren => reply(out, xid, &self.children),
            OpCode::GetChildren2 => reply(out, xid, &self.children2),
            // Both bodies are a path.
            OpCode::Sync => reply(out, xid, &frame),
            OpCode::Create => {
                let path = CreateRequest::decode(&mut input)?.path.unwrap_or_default();
                reply(out, xid, &PathResponse { path }.to_bytes());
            }
            OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                let path = CreateRequest::decode(&mut input)?.path.unwrap_or_default();
                let stat = self.result_data.stat.clone();
                reply(out, xid, &PathStat { path, stat }.to_bytes());
            }
            OpCode::Multi | OpCode::MultiRead => {
                let request = MultiRequest::decode(&mut input)?;
                reply(out, xid, &self.results(request).to_bytes());
            }
            OpCode::GetEphemerals => reply(out, xid, &Names { names: Vec::new() }.to_bytes()),
            OpCode::GetAllChildrenNumber => reply(out, xid, &Total { total: 0 }.to_bytes()),
            OpCode::WhoAmI => {
                reply(out, xid, &WhoAmIResponse { client_info: Vec::new() }.to_bytes());
            }
            OpCode::AddWatch => reply(out, xid, &Bytes::from_static(&[0; 4])),
            _ => reply(out, xid, &Bytes::new()),
        }
        Ok(op != OpCode::CloseSession)
    }

    fn results(&self, request: MultiRequest) -> MultiResponse {
        let result = |op| match op {
            MultiOp::Create(create) => {
                MultiResult::Create(PathResponse { path: create.path.unwrap_or_default() })
            }
            MultiOp::Delete(_) => MultiResult::Delete,
            MultiOp::SetData(_) => MultiResult::SetData(self.result_data.stat.clone()),
            MultiOp::Check(_) => MultiResult::Check,
            MultiOp::GetData(_) => MultiResult::GetData(self.result_data.clone()),
            MultiOp::GetChildren(_) => MultiResult::Error(ErrorCode::NoNode.number()),
        };
        MultiResponse { results: request.ops.into_iter().map(result).collect() }
    }

    fn welcome(&self, frame: Bytes, out: &mut BytesMut) -> Result<(), DecodeError> {
        let Hello { request, read_only } = Hello::from_bytes(frame)?;
        let session_id = match request.session_id {
            0 => self.last_session.fetch_add(1, Ordering::Relaxed) + 1,
            resumed => resumed,
        };
        let response = ConnectResponse {
            protocol_version: 0,
            time_out: request.time_out,
            session_id,
            passwd: Some(Bytes::from_static(&[1; 16])),
        };
        jute::put_blob(out, &Welcome { response, read_only: read_only.map(|_| false) }.to_bytes());
        Ok(())
    }
}

async fn serve_one(mut stream: TcpStream, canned: &Canned) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    let (mut is_welcome, mut is_open) = (false, true);
    while is_open {
        input.reserve(READ_BYTES);
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        while let Some(frame) = next_frame(&mut input) {
            let answered = if is_welcome {
                canned.answer(frame, &mut output).map(|goes_on| is_open &= goes_on)
            } else {
                is_welcome = true;
                canned.welcome(frame, &mut output)
            };
            answered.map_err(io::Error::other)?;
        }
        stream.write_all(&output).await?;
        output.clear();
    }
    Ok(())
}

fn next_frame(input: &mut BytesMut) -> Option<Bytes> {
    let length = usize::try_from(u32::from_be_bytes(*input.first_chunk()?)).ok()?;
    (input.len() >= 4 + length).then(|| {
        input.advance(4);
        input.split_to(length).freeze()
    })
}

fn reply(out: &mut BytesMut, xid: i32, body: &Bytes) {
    let header = ReplyHeader { xid, zxid: 1, err: 0 };
    let length = header.encoded_len() + body.len();
    out.put_i32(i32::try_from(length).unwrap_or(i32::MAX));
    header.encode(out);
    out.put_slice(body);
}
