//! Gives partitions back.

use tokio::time::{interval, timeout};

use super::Manager;
use crate::log::{LogError, PutError};
use crate::owner::BEAT;

impl Manager<'_> {
    pub(super) async fn release(&mut self, partition: u32) -> Result<(), LogError> {
        let Some(revision) = self.leases.remove(&partition) else { return Ok(()) };
        match self.registry.lease(partition, "", revision).await {
            // Another worker has taken it.
            Ok(_) | Err(PutError::Conflict) => Ok(()),
            Err(error) => Err(LogError::Unavailable(error.to_string())),
        }
    }

    /// Ends all partitions, and gives everything back.
    pub(super) async fn leave(&mut self) {
        self.me.leaving = true;
        let partitions: Vec<_> = self.running.keys().copied().collect();
        for partition in partitions {
            if let Some(running) = self.running.get_mut(&partition) {
                running.gives_back = true;
                running.leave.send_replace(true);
            }
        }
        let limit = self.settings.shutdown;
        let left = timeout(limit, async {
            // The first beat is due at once: others know that they will get the partitions.
            let mut beat = interval(BEAT);
            while !self.running.is_empty() {
                tokio::select! {
                    // A worker that does not show that it lives loses its partitions.
                    _ = beat.tick() => {
                        let _ = self.registry.beat(&self.settings.worker, &self.me).await;
                    }
                    Some(ended) = self.ended.recv() => {
                        if let Err(error) = self.end(ended).await {
                            tracing::error!("{error}");
                        }
                    }
                }
            }
            let leases: Vec<_> = self.leases.keys().copied().collect();
            for partition in leases {
                let _ = self.release(partition).await;
            }
            let _ = self.registry.forget(&self.settings.worker).await;
        });
        match left.await {
            Ok(()) => tracing::info!("finished"),
            Err(_) => tracing::warn!(
                "not finished within {limit:?}; the next owners replay the input since the last snapshot"
            ),
        }
    }
}
