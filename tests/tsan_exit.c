/* Part of every program built with ThreadSanitizer. libuv ends its threads in a destructor of its library, which is too late for
 * ThreadSanitizer: it no longer notices that they have ended and waits for ever. So they are ended before. */
#include <stdlib.h>
#include <uv.h>

__attribute__((constructor)) static void tsan_exit_early(void)
{
    if (atexit(uv_library_shutdown))
        abort();
}
