/* The values of a tensor on their way into a model file; not for other modules. */
#ifndef FT_FORMAT_TENSOR_DATA_H
#define FT_FORMAT_TENSOR_DATA_H

#include "format/tensor_source.h"

/* What is written, and to where. */
struct tensor_sink {
    int fd;
    const char *path;
    tensor_source source;
    void *context;
    float *values; /* (a chunk) */
    void *bytes;   /* of a chunk in the file's type */
};

/* Takes the memory of one chunk. */
ft_status tensor_sink_open(struct tensor_sink *sink);

void tensor_sink_close(struct tensor_sink *sink);

/*
 * Writes tensor `index` of n elements as blocks of a type that ggml_quantize knows.
 *
 * FT_ERR_USAGE where a value is too large for the type, FT_ERR_INTERNAL where it is not finite: the
 * message names the tensor.
 */
ft_status tensor_sink_put(struct tensor_sink *sink, int index, const char *name, int64_t n,
                          int type);

#endif
