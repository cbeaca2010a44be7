//! The database and the retention policy of the points in an input.

/// The database and the retention policy of the lines that follow.
///
/// Recordings of Kapacitor contain both before each line. Files of `influx_inspect export` contain
/// both in comments. These files begin with statements between `# DDL` and `# DML`, which are not
/// points.
#[derive(Debug, Default)]
pub(super) struct Context {
    /// The line of the open `# DDL`, whose `# DML` has not followed yet.
    ddl: Option<u64>,
    pub(super) database: Option<String>,
    pub(super) retention_policy: Option<String>,
    /// How often the database or the retention policy may have changed.
    pub(super) changes: u64,
}

impl Context {
    /// Applies a comment.
    pub(super) fn comment(&mut self, comment: &str, line: u64) {
        if let Some(name) = comment.strip_prefix("# CONTEXT-DATABASE:") {
            self.changes += 1;
            self.database = Some(name.trim().to_owned());
        } else if let Some(name) = comment.strip_prefix("# CONTEXT-RETENTION-POLICY:") {
            self.changes += 1;
            self.retention_policy = Some(name.trim().to_owned());
        } else if comment.starts_with("# DML") {
            self.ddl = None;
        } else if comment == "# DDL" && self.ddl.is_none() {
            self.ddl = Some(line);
        }
    }

    /// Applies an entry of a recording.
    pub(super) fn set(&mut self, database: String, retention_policy: String) {
        self.changes += 1;
        self.database = Some(database);
        self.retention_policy = Some(retention_policy);
    }

    /// Returns the line of the open `# DDL`. Until `# DML`, all lines are statements.
    pub(super) fn unfinished(&self) -> Option<u64> {
        self.ddl
    }

    /// Ends the statements at the end of the input. Returns the line of the open `# DDL`.
    pub(super) fn end(&mut self) -> Option<u64> {
        self.ddl.take()
    }
}
