// bcryptprimitives.dll, which wine before 9 lacks: std asks it for the seeds of hash maps.
#include <windows.h>
#include <ntsecapi.h> // RtlGenRandom

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length) {
    return RtlGenRandom(data, (ULONG)length);
}
