//! The part of etcd's gRPC API that membership needs, as written in etcd's `api/etcdserverpb/rpc.proto`.
//!
//! Written by hand since it is small and has not changed since etcd 3.4: the crate etcd-client generates all of the API
//! when it is compiled, for which protoc's own include files would have to be installed wherever kubestrap is built.

use http::uri::PathAndQuery;
use prost::Message;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

/// `MemberListRequest`. etcd 3.4 has no such field and always answers from what the asked member knows.
#[derive(Clone, PartialEq, Message)]
pub(super) struct MemberListRequest {
    #[prost(bool, tag = "1")]
    pub(super) linearizable: bool,
}

/// `MemberListResponse`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct MemberListResponse {
    #[prost(message, repeated, tag = "2")]
    pub(super) members: Vec<Member>,
}

/// `Member`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Member {
    #[prost(uint64, tag = "1")]
    pub(super) id: u64,
    #[prost(string, tag = "2")]
    pub(super) name: String,
    #[prost(string, repeated, tag = "3")]
    pub(super) peer_urls: Vec<String>,
    #[prost(string, repeated, tag = "4")]
    pub(super) client_urls: Vec<String>,
    #[prost(bool, tag = "5")]
    pub(super) is_learner: bool,
}

/// `MemberAddRequest`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct MemberAddRequest {
    #[prost(string, repeated, tag = "1")]
    pub(super) peer_urls: Vec<String>,
    #[prost(bool, tag = "2")]
    pub(super) is_learner: bool,
}

/// `MemberPromoteRequest` and `MemberRemoveRequest`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct MemberIdRequest {
    #[prost(uint64, tag = "1")]
    pub(super) id: u64,
}

/// `StatusRequest`, and an answer of which nothing is read.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Empty {}

/// `StatusResponse`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StatusResponse {
    #[prost(uint64, tag = "4")]
    pub(super) leader: u64,
    #[prost(string, repeated, tag = "8")]
    pub(super) errors: Vec<String>,
}

/// The methods.
pub(super) const MEMBER_LIST: &str = "/etcdserverpb.Cluster/MemberList";
pub(super) const MEMBER_ADD: &str = "/etcdserverpb.Cluster/MemberAdd";
pub(super) const MEMBER_PROMOTE: &str = "/etcdserverpb.Cluster/MemberPromote";
pub(super) const MEMBER_REMOVE: &str = "/etcdserverpb.Cluster/MemberRemove";
pub(super) const STATUS: &str = "/etcdserverpb.Maintenance/Status";

/// Asks once; does not wait longer than the caller does.
pub(super) async fn ask<Q, A>(channel: Channel, method: &'static str, question: Q) -> Result<A, Box<Status>>
where
    Q: Message + Send + Sync + 'static,
    A: Message + Default + Send + Sync + 'static,
{
    let mut client = Grpc::new(channel);
    let answer = async {
        client.ready().await.map_err(|error| Status::from_error(error.into()))?;
        let path = PathAndQuery::from_static(method);
        client.unary(Request::new(question), path, ProstCodec::<Q, A>::default()).await
    };
    answer.await.map(tonic::Response::into_inner).map_err(Box::new)
}
