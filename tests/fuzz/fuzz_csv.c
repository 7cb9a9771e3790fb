/* A file of CSV: documents, labelled documents and conversations. */
#include "fuzz.h"
#include "records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_begin();
    (void)records_read_all(fuzz_file("rows.csv", data, size), SOURCE_CSV, size);
    fuzz_end(64 * size + (256 << 10));
    return 0;
}
