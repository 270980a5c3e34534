select
  payments.payment_id,
  payments.invoice_id,
  invoices.client_id,
  invoices.currency,
  payments.amount,
  payments.paid_on,
  {{ harvest.days_between('invoices.issue_date', 'payments.paid_on') }} as days_after_issue,
  {{ harvest.days_between('invoices.due_date', 'payments.paid_on') }} as days_after_due
from {{ ref('stg_harvest__invoice_payments') }} as payments
inner join {{ ref('stg_harvest__invoices') }} as invoices
  on invoices.invoice_id = payments.invoice_id
