//! The common part of the three kinds of connection: a session that exists once the connection is
//! open.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::Error;
use crate::session::Session;
use crate::settings::Callbacks;

/// Holds the session of a connection once it is open.
#[derive(Default)]
pub(crate) struct Connection {
    slot: Mutex<Slot>,
    changed: Condvar,
    /// The callbacks, until the session takes them.
    callbacks: Mutex<Callbacks>,
}

#[derive(Default)]
enum Slot {
    #[default]
    New,
    Opening,
    Open(Arc<Session>),
    /// Opening failed, or the connection was aborted before.
    Failed(Error),
}

impl Connection {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_callbacks(&mut self, callbacks: Callbacks) {
        self.callbacks = Mutex::new(callbacks);
    }

    /// Creates the session and starts it.
    pub(crate) fn open(
        &self,
        connect: impl FnOnce(Callbacks) -> Result<Session, Error>,
    ) -> Result<(), Error> {
        {
            let mut slot = self.slot();
            match &*slot {
                Slot::New => *slot = Slot::Opening,
                Slot::Opening | Slot::Open(_) => return Err(Error::AlreadyStarted),
                Slot::Failed(error) => return Err(error.clone()),
            }
        }
        let callbacks =
            std::mem::take(&mut *self.callbacks.lock().unwrap_or_else(PoisonError::into_inner));
        // The slot is not locked while connecting, so that `abort` can end the attempt.
        let connected = connect(callbacks).and_then(|session| session.start().map(|()| session));
        let mut slot = self.slot();
        // Aborted meanwhile: dropping the session also drops the connection that it holds.
        if let Slot::Failed(error) = &*slot {
            return Err(error.clone());
        }
        match connected {
            Ok(session) => {
                *slot = Slot::Open(Arc::new(session));
                Ok(())
            }
            Err(error) => {
                *slot = Slot::Failed(error.clone());
                Err(error)
            }
        }
    }

    pub(crate) fn session(&self) -> Result<Arc<Session>, Error> {
        match &*self.slot() {
            Slot::New | Slot::Opening => Err(Error::NotStarted),
            Slot::Open(session) => Ok(session.clone()),
            Slot::Failed(error) => Err(error.clone()),
        }
    }

    pub(crate) fn abort(&self, error: Error) {
        let mut slot = self.slot();
        match &*slot {
            Slot::New | Slot::Opening => *slot = Slot::Failed(error),
            Slot::Open(session) => {
                let session = session.clone();
                drop(slot);
                session.abort(error);
            }
            Slot::Failed(_) => {}
        }
        self.changed.notify_all();
    }

    /// Waits between two attempts to connect. Returns early if the connection is aborted.
    pub(crate) fn pause(&self, time: Duration) -> Result<(), Error> {
        let opening = |slot: &mut Slot| matches!(slot, Slot::Opening);
        let waited = self.changed.wait_timeout_while(self.slot(), time, opening);
        match &*waited.unwrap_or_else(PoisonError::into_inner).0 {
            Slot::Failed(error) => Err(error.clone()),
            _ => Ok(()),
        }
    }
}

/// Implements the methods of `Interface` that the session provides, for a type with a `connection`.
macro_rules! delegate_to_session {
    () => {
        fn info(&self) -> Result<udf_proto::Info, crate::error::Error> {
            self.connection.session()?.info()
        }

        fn init(&self, init: udf_proto::Init) -> Result<(), crate::error::Error> {
            self.connection.session()?.init(init)
        }

        fn keepalive(&self) -> Result<(), crate::error::Error> {
            self.connection.session()?.keepalive()
        }

        fn request_ticks(&self, strict: bool) -> Result<(), crate::error::Error> {
            self.connection.session()?.request_ticks(strict)
        }

        fn tick_every(&self) -> Result<Option<std::time::Duration>, crate::error::Error> {
            self.connection.session()?.tick_every()
        }

        fn tick(&self, time: i64) -> Result<(), crate::error::Error> {
            self.connection.session()?.tick(time)
        }

        fn abort(&self, error: crate::error::Error) {
            self.connection.abort(error);
        }

        fn snapshot(&self) -> Result<Vec<u8>, crate::error::Error> {
            self.connection.session()?.snapshot()
        }

        fn restore(&self, snapshot: Vec<u8>) -> Result<(), crate::error::Error> {
            self.connection.session()?.restore(snapshot)
        }

        fn point_in(&self) -> Result<crate::session::PointIn, crate::error::Error> {
            Ok(self.connection.session()?.point_in())
        }

        fn batch_in(&self) -> Result<crate::session::BatchIn, crate::error::Error> {
            Ok(self.connection.session()?.batch_in())
        }

        fn point_out(
            &self,
        ) -> Result<crate::session::Receiver<udf_proto::PointBuf>, crate::error::Error> {
            Ok(self.connection.session()?.point_out())
        }

        fn data_to(
            &self,
            provides: udf_proto::EdgeType,
            sink: Box<dyn crate::session::Sink>,
        ) -> Result<(), crate::error::Error> {
            self.connection.session()?.data_to(provides, sink)
        }

        fn batch_out(
            &self,
        ) -> Result<crate::session::Receiver<udf_text::batch::WholeBatch>, crate::error::Error> {
            Ok(self.connection.session()?.batch_out())
        }
    };
}
pub(crate) use delegate_to_session;
