// build: -static
#include "threads.c"
