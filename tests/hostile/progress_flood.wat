;; Reports progress 5,000 times.
  (import "airlock:guest/client@0.1.0" "progress" (func $progress (param f64 i32 f64 i32 i32 i32)))
  (func (export "airlock:guest/tools@0.1.0#call") (param i32) (result i32)
    (local $n i32)
    (loop $again
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (call $progress (f64.convert_i32_u (local.get $n)) (i32.const 0) (f64.const 0)
        (i32.const 1) (i32.const 1104) (i32.const 4))
      (br_if $again (i32.lt_u (local.get $n) (i32.const 5000))))
    (i32.const 2432))
