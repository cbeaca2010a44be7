//! Values that users pass to threads are `Send`, and values that they share between threads are
//! `Sync`.

use udf_runtime::options::{FieldName, Flag, TagName};
use udf_runtime::state::{Groups, SnapshotError};
use udf_runtime::{
    Agent, AgentError, Batch, BeginBatch, BindError, EmitError, Emitter, EndBatch, Error,
    FieldError, Init, Limits, Metrics, OnUnfit, OptionCall, Point, PointBuf, Points, Remote,
    RunningAgent, ServeError, Server, SocketFile, SocketOptions, StdioError, Stop, Stream, Task,
    Value, Verdict,
};

fn is_send<T: Send>() {}
fn is_shared<T: Send + Sync>() {}

#[test]
fn handles_can_be_shared_between_threads() {
    is_shared::<Remote<Stream>>();
    is_shared::<Remote<Batch>>();
    is_shared::<Task<Stream>>();
    is_shared::<Stop>();
    is_shared::<Metrics>();
    is_shared::<Limits>();
    is_shared::<OnUnfit>();
    is_shared::<SocketOptions>();
}

#[test]
fn data_can_be_shared_between_threads() {
    is_shared::<Point<'_>>();
    is_shared::<PointBuf>();
    is_shared::<Points>();
    is_shared::<BeginBatch>();
    is_shared::<EndBatch>();
    is_shared::<Init>();
    is_shared::<OptionCall>();
    is_shared::<Value>();
    is_shared::<Verdict>();
    is_shared::<Groups<u64>>();
    is_shared::<(FieldName, TagName, Flag)>();
}

/// The messages of the wire stay inside: no type of an author's signature is one of prost.
#[test]
fn no_type_of_an_author_is_a_message_of_prost() {
    /// Ambiguous, and therefore a compile error, for a type that both impls fit.
    trait Plain<Which> {
        fn plain() {}
    }
    struct Message;
    struct Enumeration;
    impl<T: ?Sized> Plain<()> for T {}
    impl<T: prost::Message> Plain<Message> for T {}
    impl<T: Into<i32>> Plain<Enumeration> for T {}

    macro_rules! plain {
        ($($name:ident $(<$of:tt>)?),* $(,)?) => {
            [$({
                <udf_runtime::$name $(<$of>)? as Plain<_>>::plain();
                stringify!($name)
            }),*]
        };
    }
    let plain = plain! {
        BeginBatch, EdgeType, EndBatch, FieldError, FieldValue<'_>, FieldWriter<'_>, Init,
        OptionCall, Point<'_>, PointBuf, Points, Value, ValueType,
    };
    let lib = include_str!("../src/lib.rs");
    let exports = lib.match_indices("pub use udf_proto::").flat_map(|(at, _)| {
        let (list, _) = lib[at..].split_once(';').expect("the `use` ends");
        list.split(|c: char| !c.is_alphanumeric())
    });
    // Traits, and the builder that is generic over one.
    let others = ["FieldSet", "Fields", "PointEdit", "PointSink"];
    for name in exports.filter(|name| name.starts_with(char::is_uppercase)) {
        assert!(plain.contains(&name) || others.contains(&name), "{name} is not in the list");
    }
}

#[test]
fn errors_can_be_boxed_as_errors_of_any_thread() {
    fn into_error<E: Into<Error> + Send + Sync + 'static>() {}
    into_error::<AgentError>();
    into_error::<BindError>();
    into_error::<EmitError>();
    into_error::<FieldError>();
    into_error::<ServeError>();
    into_error::<SnapshotError>();
    into_error::<StdioError>();
}

#[test]
fn agents_and_servers_can_move_to_a_thread() {
    is_send::<Agent>();
    is_send::<RunningAgent>();
    is_send::<Server>();
    is_send::<SocketFile>();
    is_send::<Emitter<Stream>>();
    is_send::<Emitter<Batch>>();
}
