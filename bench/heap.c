/* What malloc has handed out, in bytes, and its free pages given back to the system: heap_used() and heap_trim() for
   package.loadlib. Only for glibc. It needs no header of any Lua: the one function it calls is the same in all. */
#include <malloc.h>

extern void lua_pushnumber(void *lua, double n);

int heap_used(void *lua)
{
    struct mallinfo2 info = mallinfo2();
    lua_pushnumber(lua, (double)info.uordblks + (double)info.hblkhd);
    return 1;
}

int heap_trim(void *lua)
{
    (void)lua;
    malloc_trim(0);
    return 0;
}
