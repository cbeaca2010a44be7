//! What the three ways to reach a UDF have in common: a server that is there once they are open.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::Error;
use crate::server::Server;
use crate::settings::Callbacks;

/// The place of the server of a connection.
#[derive(Default)]
pub(crate) struct Connection {
    slot: Mutex<Slot>,
    changed: Condvar,
    /// Whom the server is to call, until it is made.
    callbacks: Mutex<Callbacks>,
}

#[derive(Default)]
enum Slot {
    #[default]
    New,
    Opening,
    Open(Arc<Server>),
    /// It failed to open, or was given up before.
    Failed(Error),
}

impl Connection {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_callbacks(&mut self, callbacks: Callbacks) {
        self.callbacks = Mutex::new(callbacks);
    }

    /// Makes the server and starts it.
    pub(crate) fn open(
        &self,
        connect: impl FnOnce(Callbacks) -> Result<Server, Error>,
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
        let connected = connect(callbacks).and_then(|server| server.start().map(|()| server));
        let mut slot = self.slot();
        // Given up meanwhile: the server is dropped, and so is what it was connected to.
        if let Slot::Failed(error) = &*slot {
            return Err(error.clone());
        }
        match connected {
            Ok(server) => {
                *slot = Slot::Open(Arc::new(server));
                Ok(())
            }
            Err(error) => {
                *slot = Slot::Failed(error.clone());
                Err(error)
            }
        }
    }

    pub(crate) fn server(&self) -> Result<Arc<Server>, Error> {
        match &*self.slot() {
            Slot::New | Slot::Opening => Err(Error::NotStarted),
            Slot::Open(server) => Ok(server.clone()),
            Slot::Failed(error) => Err(error.clone()),
        }
    }

    pub(crate) fn abort(&self, error: Error) {
        let mut slot = self.slot();
        match &*slot {
            Slot::New | Slot::Opening => *slot = Slot::Failed(error),
            Slot::Open(server) => {
                let server = server.clone();
                drop(slot);
                server.abort(error);
            }
            Slot::Failed(_) => {}
        }
        self.changed.notify_all();
    }

    /// Waits between two tries to connect, unless it is given up meanwhile.
    pub(crate) fn pause(&self, time: Duration) -> Result<(), Error> {
        let opening = |slot: &mut Slot| matches!(slot, Slot::Opening);
        let waited = self.changed.wait_timeout_while(self.slot(), time, opening);
        match &*waited.unwrap_or_else(PoisonError::into_inner).0 {
            Slot::Failed(error) => Err(error.clone()),
            _ => Ok(()),
        }
    }
}

/// The methods of `Interface` that a server has, for a type with a `connection`.
macro_rules! delegate_to_server {
    () => {
        fn info(&self) -> Result<udf_proto::Info, crate::error::Error> {
            self.connection.server()?.info()
        }

        fn init(&self, init: udf_proto::Init) -> Result<(), crate::error::Error> {
            self.connection.server()?.init(init)
        }

        fn keepalive(&self) -> Result<(), crate::error::Error> {
            self.connection.server()?.keepalive()
        }

        fn abort(&self, error: crate::error::Error) {
            self.connection.abort(error);
        }

        fn snapshot(&self) -> Result<Vec<u8>, crate::error::Error> {
            self.connection.server()?.snapshot()
        }

        fn restore(&self, snapshot: Vec<u8>) -> Result<(), crate::error::Error> {
            self.connection.server()?.restore(snapshot)
        }

        fn point_in(&self) -> Result<crate::server::PointIn, crate::error::Error> {
            Ok(self.connection.server()?.point_in())
        }

        fn batch_in(&self) -> Result<crate::server::BatchIn, crate::error::Error> {
            Ok(self.connection.server()?.batch_in())
        }

        fn point_out(
            &self,
        ) -> Result<crate::server::Receiver<udf_proto::PointBuf>, crate::error::Error> {
            Ok(self.connection.server()?.point_out())
        }

        fn batch_out(
            &self,
        ) -> Result<crate::server::Receiver<udf_text::batch::Batch>, crate::error::Error> {
            Ok(self.connection.server()?.batch_out())
        }
    };
}
pub(crate) use delegate_to_server;
