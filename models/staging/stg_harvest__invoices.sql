select
  id as invoice_id,
  client__id as client_id,
  number as invoice_number,
  state,
  currency,
  issue_date,
  due_date,
  {{ harvest.day_of('sent_at') }} as sent_on,
  coalesce(paid_date, {{ harvest.day_of('paid_at') }}) as paid_on,
  period_start,
  period_end,
  amount,
  due_amount,
  coalesce(tax_amount, 0) + coalesce(tax2_amount, 0) as tax_amount,
  coalesce(discount, 0) as discount_percent,
  coalesce(discount_amount, 0) as discount_amount,
  _dlt_id
from {{ harvest.harvest_table('invoices') }}
where deleted_at is null
