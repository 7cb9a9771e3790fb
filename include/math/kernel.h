/**
 * How the vector kernels of math/ are compiled.
 *
 * FT_KERNEL builds a function once per instruction set and picks one when the program starts, so
 * that one binary serves AVX2 and AVX-512 nodes. It goes on functions that hold the loop itself:
 * GCC outlines an OpenMP region before it clones, so a region inside a clone would stay at the base
 * instruction set.
 *
 * The names are those of the x86-64 levels, which the resolver compares with what the processor can
 * do: a processor's name there ("arch=haswell") means that very model and leaves all others, newer
 * and AMD's, with the base set. Compilers before GCC 12 know no levels: their AVX2 clone has no
 * fused multiply-add.
 *
 * glibc declares its vector functions only under -ffast-math, which this program never uses;
 * declared here they are used in `omp simd` loops. Their error is below 4 ulp.
 */
#ifndef FT_MATH_KERNEL_H
#define FT_MATH_KERNEL_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&                             \
    !defined(__SANITIZE_ADDRESS__)
#if __GNUC__ >= 12
#define FT_KERNEL                                                                                  \
    __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), noinline))
#else
#define FT_KERNEL __attribute__((target_clones("avx512f", "avx2", "default"), noinline))
#endif
#else
#define FT_KERNEL __attribute__((noinline))
#endif

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((simd("notinbranch"))) float expf(float);
__attribute__((simd("notinbranch"))) double log(double);
#endif

#endif
