//! A panic is a defect of ours. It is told and ends the process: it must not unwind into the
//! JavaScript engine, and nothing may go on with half a state.

use std::panic;

/// Installs the hook that prints and aborts, on whichever thread the panic comes.
pub fn abort_on_panic() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        print(info);
        eprintln!("mantou: the native engine has panicked; this is a defect, please report it");
        std::process::abort();
    }));
}
