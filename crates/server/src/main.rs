//! The `strongroom` command.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use zeroizing_alloc::ZeroAlloc;

// Requests make many small, short-lived allocations on several threads. What is given back is wiped: decrypted items and
// blocks, and what libraries have read of a key.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

fn main() -> ExitCode {
    strongroom_server::cli::run()
}
