/* make-h5-seeds FOLDER: the inputs that fuzzing of HDF5 files starts from. */
#include "h5_files.h"

int main(int argc, char **argv)
{
    if (argc == 2)
        h5_files_write(argv[1]);
    return argc == 2 ? 0 : 64;
}
