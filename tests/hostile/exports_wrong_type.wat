(component
  ;; Exports the right name with nothing behind it.
  (component $hollow)
  (instance $tools (instantiate $hollow))
  (export "airlock:guest/tools@0.1.0" (instance $tools)))
