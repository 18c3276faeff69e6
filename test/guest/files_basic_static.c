// build: -static
#include "files_basic.c"
