//! The log of a worker: calls to the server, with faults.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use udf_nats::{
    AppendError, Batch, Bounds, DeadLetter, Entry, Input, Last, Log, LogError, Mark, PutError,
};

use crate::server::Server;
use crate::sim::{Fault, Sim};

/// The log of a worker.
pub(crate) struct SimLog {
    pub(crate) sim: Rc<Sim>,
    pub(crate) partition: u32,
    pub(crate) max_payload: usize,
    pub(crate) name: String,
}

impl SimLog {
    async fn ask<T: 'static>(
        &self,
        effect: impl FnOnce(&mut Server) -> T + 'static,
    ) -> Result<T, LogError> {
        self.sim.call(effect).await.map_err(unavailable)
    }
}

fn unavailable(fault: Fault) -> LogError {
    LogError::Unavailable(format!("{fault:?}"))
}

impl Log for SimLog {
    type Input = SimInput;

    async fn read(&self, after: u64) -> Result<(SimInput, Bounds), LogError> {
        let (generation, bounds) = self.ask(|server| (server.generation, server.bounds())).await?;
        let (sim, partition) = (self.sim.clone(), self.partition);
        Ok((SimInput { sim, partition, after, generation, idle: 0 }, bounds))
    }

    async fn bounds(&self) -> Result<Bounds, LogError> {
        self.ask(|server| server.bounds()).await
    }

    async fn last(&self, partition: u32) -> Result<Option<Last>, LogError> {
        self.ask(move |server| server.last(partition)).await
    }

    async fn append(
        &self,
        partition: u32,
        mark: Mark,
        payload: Bytes,
        expected: u64,
    ) -> Result<u64, AppendError> {
        if payload.len() > self.max_payload {
            return Err(AppendError::TooLarge { limit: self.max_payload + 1024 });
        }
        let (sim, name) = (self.sim.clone(), self.name.clone());
        let effect = move |server: &mut Server| {
            let appended = server.append(partition, Some(mark), payload, expected);
            sim.trace(|| format!("{name} appends {mark:?} behind {expected}: {appended:?}"));
            appended
        };
        match self.sim.call(effect).await {
            Ok(appended) => appended,
            Err(Fault::Refused) => Err(AppendError::TryAgain("refused".to_owned())),
            Err(Fault::InDoubt) => Err(AppendError::InDoubt("in doubt".to_owned())),
        }
    }

    fn max_payload(&self) -> usize {
        self.max_payload
    }

    async fn append_tick(&self, time: i64) -> Result<(), LogError> {
        let partition = self.partition;
        let tick = move |server: &mut Server| {
            server.add_input(partition, time, Some(time), String::new());
        };
        self.ask(tick).await
    }

    async fn dead_letter(&self, letter: DeadLetter) -> Result<(), LogError> {
        self.ask(move |server| server.dead_letters.push(letter)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>, LogError> {
        let key = key.to_owned();
        self.ask(move |server| server.keys.get(&key).cloned()).await
    }

    async fn put(&self, key: &str, value: Bytes, expected: u64) -> Result<u64, PutError> {
        assert!(value.len() <= self.max_payload || !key.starts_with("part."), "{key}");
        let (sim, name) = (self.sim.clone(), self.name.clone());
        let key = key.to_owned();
        let effect = move |server: &mut Server| {
            let put = server.put(&key, value.clone(), expected);
            sim.trace(|| {
                let value = String::from_utf8_lossy(&value);
                format!("{name} puts {key} behind {expected}: {put:?} {value}")
            });
            put
        };
        match self.sim.call(effect).await {
            Ok(put) => put,
            Err(fault) => Err(PutError::InDoubt(format!("{fault:?}"))),
        }
    }

    async fn delete(&self, key: &str) -> Result<(), LogError> {
        let (sim, name) = (self.sim.clone(), self.name.clone());
        let key = key.to_owned();
        self.ask(move |server| {
            sim.trace(|| format!("{name} deletes {key}"));
            server.delete(&key);
        })
        .await
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>, LogError> {
        let prefix = prefix.to_owned();
        self.ask(move |server| {
            server.keys.keys().filter(|key| key.starts_with(&prefix)).cloned().collect()
        })
        .await
    }
}

/// The reader of a worker.
pub(crate) struct SimInput {
    sim: Rc<Sim>,
    partition: u32,
    after: u64,
    generation: u64,
    idle: u32,
}

impl Input for SimInput {
    async fn pull(&mut self) -> Result<Batch, LogError> {
        loop {
            let (partition, after, generation) = (self.partition, self.after, self.generation);
            let count = 1 + self.sim.below(6) as usize;
            let pull = move |server: &mut Server| {
                (server.generation == generation).then(|| server.pull(partition, after, count))
            };
            let pulled = self.sim.call(pull).await.map_err(unavailable)?;
            let Some((messages, upto)) = pulled else {
                return Err(LogError::Unavailable("the server has restarted".to_owned()));
            };
            self.idle += 1;
            if !messages.is_empty() || self.idle > 20 {
                (self.after, self.idle) = (upto, 0);
                return Ok(Batch { messages, upto, behind: false });
            }
            self.sim.sleep_for(Duration::from_millis(20)).await;
        }
    }
}
