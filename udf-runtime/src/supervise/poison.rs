//! placeholder
#[derive(Debug)]
pub(super) struct PoisonFile;
impl PoisonFile {
    pub(crate) fn open(_: &std::path::Path) -> std::io::Result<Self> {
        Ok(PoisonFile)
    }
    pub(super) fn append(&self, _: &str, _: &str, _: &[&[u8]], _: &str) -> std::io::Result<()> {
        Ok(())
    }
}
