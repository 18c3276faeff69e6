// build: -static
#include "process.c"
