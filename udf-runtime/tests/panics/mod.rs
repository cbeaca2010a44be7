//! Panics of the test kit, and the places that they name.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// Returns the text of the panic of `run`, and its line if it names a place in a test.
pub(crate) fn panic_of(run: impl FnOnce()) -> (String, u32) {
    thread_local! {
        static LINE: RefCell<u32> = const { RefCell::new(0) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let place =
                panic.location().filter(|place| place.file().starts_with("udf-runtime/tests/"));
            LINE.with_borrow_mut(|line| *line = place.map_or(0, |place| place.line()));
            others(panic);
        }));
    });
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("it panics");
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    (text.unwrap(), LINE.with_borrow(|line| *line))
}
